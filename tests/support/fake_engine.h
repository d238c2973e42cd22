// An engine without a TPM: knows Startup, Shutdown, SelfTest, GetRandom, GetCapability (of
// anything, briefly) and commands of its own, keeps one permanent and one volatile value, and does
// what a test tells it to.
//
// Held to the same contract as libtpms by tests/contract. Its state blobs are the bare values; a
// blob that begins with 0xff is one that it cannot use, a volatile one that begins with 0xfe is of
// a TPM that is not started. Threads: as Engine; the knobs for tests are safe from any thread where
// they say so.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "engine/base/mutex.h"
#include "engine/command/codec.h"
#include "engine/state/state_store.h"
#include "engine/tpm/engine.h"

namespace vtpm {

class FakeEngine final : public Engine {
 public:
  // Command codes that only this engine knows.
  static constexpr CommandCode kRemember{0x20000101};  // 4 bytes to keep in the store
  static constexpr CommandCode kRecall{0x20000102};    // succeeds when they are what is kept
  static constexpr CommandCode kExtend{0x20000103};    // 4 bytes to add to the volatile value
  static constexpr CommandCode kExtended{0x20000104};  // tells the volatile value
  static constexpr CommandCode kBreak{0x20000105};     // failure mode from now on
  // Fails as with a wrong authorisation, which is counted in the last byte of what is kept.
  static constexpr CommandCode kGuess{0x20000106};
  static constexpr ResponseCode kWrong{0x98E};  // TPM_RC_AUTH_FAIL

  explicit FakeEngine(StateStore& store, TpmVersion version = TpmVersion::tpm20)
      : store_(store), version_(version) {}

  [[nodiscard]] TpmVersion version() const override { return version_; }
  Result<PoweredOn> power_on(StoredVolatile stored) override;
  void power_off() override;
  using Engine::execute;
  Result<ByteView> execute(ByteView command, Locality locality,
                           const std::atomic<bool>& canceled) override;
  Result<ByteView> query(ByteView command) override { return execute(command, Locality{0}); }
  [[nodiscard]] bool in_failure_mode() const override { return failure_mode_; }
  Result<void> cancel() override;
  [[nodiscard]] const Error* unstored() const override { return unstored_ ? &*unstored_ : nullptr; }
  Result<void> store_unstored() override;
  void drop_unstored() override { unstored_.reset(); }
  Result<bool> established() override;
  Result<void> reset_established(Locality locality) override;
  Result<void> hash_start() override;
  Result<void> hash_data(ByteView data) override;
  Result<void> hash_end() override;
  Result<Bytes> get_state(BlobKind kind) override;
  void forget_state() override { given_ = {}; }
  Result<void> set_state(BlobKind kind, ByteView blob) override;
  Result<void> set_version(TpmVersion version) override;
  Result<std::string> info(uint64_t what) override;
  BufferSizes buffer_size(uint32_t wanted) override;

  // -- for tests --

  // From now on long-running commands (engine/command/codec.h) do not end before release() or
  // cancel(). Any thread.
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
  // What the lockout query is answered with.
  LockoutState lockout{};
  // What info() tells.
  std::string description = R"({"TPMSpecification":{"family":"none"}})";
  uint64_t described = 0;  // what it was asked for last
  // Every command that reached the engine, by its code, and the locality of the last one.
  std::vector<CommandCode> executed;
  Locality last_locality{};
  // The same commands whole, and those that had come when power was taken last.
  std::vector<Bytes> commands;
  std::vector<Bytes> commands_at_power_off;
  // What the hash interface was given since hash_start().
  Bytes hashed;
  // Called at the beginning of every execute(), before it looks at anything.
  std::function<void()> before_execute = [] {};
  int power_ons = 0;

 private:
  Bytes respond(const Command& command, const std::atomic<bool>& canceled);
  Bytes respond_started(const Command& command);
  Bytes remember(ByteView command);
  Bytes count_guess();
  Bytes recall(ByteView command) const;
  Bytes extend(ByteView command);
  Result<void> load_permanent();
  Result<PoweredOn> resume(StoredVolatile stored);
  Result<void> require_on() const;
  bool wait_while_held(const std::atomic<bool>& canceled);
  [[nodiscard]] Bytes error(ResponseCode code) const { return error_response(version_, code); }

  StateStore& store_;
  std::atomic<TpmVersion> version_;
  bool on_ = false;
  bool started_ = false;
  bool failure_mode_ = false;
  bool established_ = false;
  Bytes permanent_;
  Bytes volatile_;
  struct {
    std::optional<Bytes> permanent;
    std::optional<Bytes> volatile_state;
  } given_;  // for the next power_on()
  Bytes response_;
  std::optional<Error> undone_;    // why the command's change could not be stored
  std::optional<Error> unstored_;  // why permanent_ is not in the store
  BufferSizes sizes_{4096, 1024, 4096};

  Mutex mutex_;
  ConditionVariable changed_;
  bool hold_ VTPM_GUARDED_BY(mutex_) = false;
  bool held_ VTPM_GUARDED_BY(mutex_) = false;
  bool canceled_ VTPM_GUARDED_BY(mutex_) = false;
};

}  // namespace vtpm
