// The control surface of a TPM on a fake engine.
#pragma once

#include <gtest/gtest.h>
#include <vtpm/ioctl.h>

#include <cstring>
#include <functional>
#include <map>
#include <vector>

#include "ctl/control_surface.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"

namespace vtpm {

template <class Structure>
ByteView view_of(const Structure& structure) {
  return std::as_bytes(std::span(&structure, 1));
}

template <class Structure>
Structure from(const Result<Bytes>& answer) {
  Structure structure{};
  EXPECT_EQ(answer.value().size(), sizeof(structure));
  std::memcpy(&structure, answer.value().data(), sizeof(structure));
  return structure;
}

inline uint32_t result_in(const Result<Bytes>& answer) {
  uint32_t result = 0;
  std::memcpy(&result, answer.value().data(), sizeof(result));
  return result;
}

class ControlSurfaceTest : public testing::Test {
 protected:
  // The one completion of a request; fails the test when there are none or several.
  Result<Bytes> ask(uint32_t number, ByteView in = {}, Privilege caller = Privilege::control) {
    std::vector<Result<Bytes>> answers;
    surface_.handle(number, in, caller,
                    [&](Result<Bytes> answer) { answers.push_back(std::move(answer)); });
    EXPECT_EQ(answers.size(), 1u);
    return answers.at(0);
  }

  Result<Bytes> init(uint32_t flags = 0) {
    vtpm_init request{};
    request.req.init_flags = flags;
    return ask(VTPM_INIT, view_of(request));
  }

  Result<Bytes> set_locality(uint8_t locality) {
    vtpm_locality request{};
    request.req.loc = locality;
    return ask(VTPM_SET_LOCALITY, view_of(request));
  }

  Result<Bytes> set_buffersize(uint32_t size) {
    vtpm_buffersize request{};
    request.req.buffersize = size;
    return ask(VTPM_SET_BUFFERSIZE, view_of(request));
  }

  void enter(Phase phase) {
    fake_.fail_power_on = phase == Phase::failed;
    std::map<Phase, std::function<void()>> ways = {
        {Phase::off, [] {}},
        {Phase::on, [&] { must(tpm_.power_on()); }},
        {Phase::failed, [&] { ASSERT_FALSE(tpm_.power_on().has_value()); }},
        {Phase::gone, [&] { tpm_.end(); }}};
    ways.at(phase)();
    fake_.fail_power_on = false;
    ASSERT_EQ(tpm_.phase(), phase);
  }

  MemoryStore store_;
  FakeEngine fake_{store_};
  FakeBackoff backoff_;
  VirtualTpm tpm_{fake_, backoff_};
  CommandQueue queue_;
  int ends_ = 0;
  ControlSurface surface_{{tpm_, [this] { ++ends_; }}, queue_};
};

}  // namespace vtpm
