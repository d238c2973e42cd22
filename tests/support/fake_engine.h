// An engine without a TPM: knows Startup, Shutdown, SelfTest, GetRandom, GetCapability (of
// anything, briefly) and two commands of its own, keeps one value in its store, and does what a
// test tells it to.
//
// Held to the same contract as libtpms by tests/contract. Threads: as Engine; the knobs for tests
// are safe from any thread where they say so.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "engine/codec.h"
#include "engine/engine.h"
#include "engine/mutex.h"
#include "engine/state_store.h"

namespace vtpm {

class FakeEngine final : public Engine {
 public:
  // Command codes that only this engine knows.
  static constexpr CommandCode kRemember{0x20000101};  // 4 bytes to keep in the store
  static constexpr CommandCode kRecall{0x20000102};    // succeeds when they are what is kept

  explicit FakeEngine(StateStore& store, TpmVersion version = TpmVersion::tpm20)
      : store_(store), version_(version) {}

  [[nodiscard]] TpmVersion version() const override { return version_; }
  Result<PoweredOn> power_on(StoredVolatile stored) override;
  void power_off() override;
  Result<ByteView> execute(ByteView command, Locality locality) override;
  [[nodiscard]] bool in_failure_mode() const override { return failure_mode_; }
  void cancel() override;
  BufferSizes buffer_size(uint32_t wanted) override;

  // -- for tests --

  // From now on long-running commands (engine/codec.h) do not end before release() or cancel().
  // Any thread.
  void hold_long_commands();
  void release();
  // Waits until a held command is running. Any thread.
  void wait_until_held();

  // The response codes of the next commands, in front of what they would really be answered with.
  std::deque<ResponseCode> answers;
  // Whether power_on() may make a new TPM when the store has none.
  bool may_manufacture = true;
  // Whether the next power-on fails.
  bool fail_power_on = false;
  // Every command that reached the engine, by its code, and the locality of the last one.
  std::vector<CommandCode> executed;
  Locality last_locality{};
  int power_ons = 0;

 private:
  Bytes respond(ByteView command, const CommandHeader& header);
  Bytes respond_started(ByteView command, const CommandHeader& header);
  Bytes remember(ByteView command);
  Bytes recall(ByteView command);
  Result<void> manufacture();
  bool wait_while_held();
  [[nodiscard]] Bytes error(ResponseCode code) const { return error_response(version_, code); }

  StateStore& store_;
  const TpmVersion version_;
  bool on_ = false;
  bool started_ = false;
  bool failure_mode_ = false;
  Bytes response_;
  BufferSizes sizes_{4096, 1024, 4096};

  Mutex mutex_;
  ConditionVariable changed_;
  bool hold_ VTPM_GUARDED_BY(mutex_) = false;
  bool held_ VTPM_GUARDED_BY(mutex_) = false;
  bool canceled_ VTPM_GUARDED_BY(mutex_) = false;
};

}  // namespace vtpm
