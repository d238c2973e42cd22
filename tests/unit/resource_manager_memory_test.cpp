// Memory that runs out in the resource manager while the TPM below has enough: a command fails or
// is done, and what it made in the TPM goes with its space.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/resource_manager/resource_manager.h"
#include "tests/support/commands.h"
#include "tests/support/failing_memory.h"
#include "tests/support/space_client.h"
#include "tests/support/tpm_double.h"

namespace vtpm {
namespace {

// Runs the next port on a thread of its own, where memory does not run out.
class Elsewhere final : public CommandPort {
 public:
  explicit Elsewhere(CommandPort& next) : next_(next) {}
  ~Elsewhere() override {
    hand_over(nullptr, nullptr);
    thread_.join();
  }
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;

  Bytes transmit(const Command& command, const Ticket& ticket) override {
    hand_over(&command, &ticket);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !busy_; });
    return std::move(response_);
  }

 private:
  void hand_over(const Command* command, const Ticket* ticket) {
    std::lock_guard lock(mutex_);
    command_ = command;
    ticket_ = ticket;
    busy_ = true;
    changed_.notify_all();
  }
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return busy_; });
      if (command_ == nullptr) {
        return;
      }
      response_ = next_.transmit(*command_, *ticket_);
      busy_ = false;
      changed_.notify_all();
    }
  }

  CommandPort& next_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false;
  const Command* command_ = nullptr;
  const Ticket* ticket_ = nullptr;
  Bytes response_;
  std::thread thread_{[this] { serve(); }};
};

class ManagedWithoutMemory : public testing::TestWithParam<FailingMemory::For> {
 protected:
  // Whether memory ran out.
  bool send_with(size_t spared, SpaceClient& client, const Bytes& command) {
    FailingMemory memory(FailingMemory::On::this_thread, GetParam(), spared);
    try {
      client.send(command);
    } catch (const std::bad_alloc&) {
    }
    memory.end();
    return memory.failed();
  }

  // A space with more than fits, in which memory runs out during the command, and its end.
  bool run_short(size_t spared, const Bytes& command) {
    SpaceClient client(manager_.open_space({}));
    for (uint8_t which = 0; which < 4; ++which) {
      client.must(make_key(which));
      client.must(start_session());
    }
    bool failed = send_with(spared, client, command);
    EXPECT_EQ(client.code(get_random(8)), rc::success);
    return failed;
  }

  void expect_nothing_left(const Bytes& command) {
    constexpr size_t kMostAllocations = 100;
    for (size_t spared = 0; run_short(spared, command); ++spared) {
      ASSERT_LT(spared, kMostAllocations);
      ASSERT_EQ(double_.loaded_objects(), 0u) << "after " << spared << " allocations";
      ASSERT_EQ(double_.active_sessions(), 0u) << "after " << spared << " allocations";
    }
  }

  TpmDouble double_{{}};
  Elsewhere elsewhere_{double_};
  ResourceManager manager_{elsewhere_};
};

TEST_P(ManagedWithoutMemory, WhatACommandMade_GoesWithItsSpace) {
  for (const Bytes& command :
       {make_key(9), start_session(), start_sequence(), use_key(0x80000000),
        policy_get_digest(0x03000000), tpm2_command(cc::load, u32_bytes(0x80000000)),
        context_save(0x80000000), flush_context(0x80000000), clear_tpm()}) {
    expect_nothing_left(command);
  }
}

INSTANTIATE_TEST_SUITE_P(Memory, ManagedWithoutMemory,
                         testing::Values(FailingMemory::For::once, FailingMemory::For::for_ever));

}  // namespace
}  // namespace vtpm
