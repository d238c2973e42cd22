// The control requests of a TPM on a fake engine, as ioctls.
#pragma once

#include <gtest/gtest.h>
#include <vtpm/ioctl.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "ctl/control/ioctl_control.h"
#include "tests/support/commands.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_engine.h"
#include "tests/support/hex.h"
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
  std::memcpy(&structure, answer.value().data(),
              std::min(answer.value().size(), sizeof(structure)));
  return structure;
}

inline uint32_t result_in(const Result<Bytes>& answer) {
  uint32_t result = 0;
  std::memcpy(&result, answer.value().data(), sizeof(result));
  return result;
}

// A request that is on its way: all its answers so far.
using Answers = std::shared_ptr<std::vector<Result<Bytes>>>;

struct SurfaceOptions {
  TpmVersion version = TpmVersion::tpm20;
  ControlPolicy policy = {};
  const SwtpmKey* migration_key = nullptr;
  const SwtpmKey* file_key = nullptr;
  bool sealed = false;
};

class ControlSurfaceTest : public testing::Test, private Surroundings {
 protected:
  explicit ControlSurfaceTest(SurfaceOptions options = {})
      : fake_(store_, options.version),
        dispatcher_({.tpm = tpm_,
                     .surroundings = *this,
                     .policy = options.policy,
                     .migration_key = options.migration_key,
                     .file_key = options.file_key,
                     .sealed = options.sealed},
                    queue_, clock_) {}

  void TearDown() override { EXPECT_EQ(store_.unlocked_writes, 0); }

  Answers begin(uint32_t number, ByteView in = {}, Privilege caller = Privilege::control) {
    auto answers = std::make_shared<std::vector<Result<Bytes>>>();
    surface_.handle(number, in, caller, transfer_,
                    [answers](Result<Bytes> answer) { answers->push_back(std::move(answer)); });
    return answers;
  }

  // The one completion of a request; fails the test when there are none or several.
  Result<Bytes> ask(uint32_t number, ByteView in = {}, Privilege caller = Privilege::control) {
    auto answers = begin(number, in, caller);
    EXPECT_EQ(answers->size(), 1u);
    return answers->at(0);
  }

  Result<Bytes> init(uint32_t flags = 0) {
    vtpm_init request{};
    request.req.init_flags = flags;
    return ask(VTPM_INIT, view_of(request));
  }

  void init_and_start() {
    ASSERT_EQ(result_in(init()), VTPM_RESULT_SUCCESS);
    ASSERT_EQ(execute(tpm2_startup()), rc::success);
  }

  ResponseCode execute(ByteView command) { return response_code(tpm_.execute(command)); }

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
  FakeEngine fake_;
  FakeBackoff backoff_;
  FakeClock clock_;
  VirtualTpm tpm_{fake_, store_, backoff_};
  Strand queue_;
  int ends_ = 0;
  int changes_announced_ = 0;
  bool raw_node_in_use_ = false;
  RawNodeOpener raw_node_opener_;
  std::optional<StorageFailure> storage_failure_;
  ControlDispatcher dispatcher_;
  IoctlControl surface_{dispatcher_};
  std::shared_ptr<BlobTransfer> transfer_ = std::make_shared<BlobTransfer>();

 private:
  void end_daemon() override { ++ends_; }
  void announce_version_change() override { ++changes_announced_; }
  [[nodiscard]] bool raw_node_in_use() const override { return raw_node_in_use_; }
  [[nodiscard]] RawNodeOpener raw_node_opener() const override { return raw_node_opener_; }
  [[nodiscard]] std::chrono::seconds uptime() const override { return std::chrono::seconds(90); }
  [[nodiscard]] std::optional<StorageFailure> storage_failure() const override {
    return storage_failure_;
  }
};

}  // namespace vtpm
