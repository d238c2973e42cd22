// A TPM with its power cycle: phase, lock, shutdown rule, retries, cancel, storage lock. Everything
// above (control requests, device nodes) uses the TPM through this class only.
//
// Ownership: borrows the engine, the store and the back-off, which outlive it.
// Threads: any. Commands, power and state are serialised by the TPM's lock and may block for as
// long as a running command takes; what "never blocks" is said to.
//
// Shutdown before re-init: before power is taken from a TPM 2.0 that is on and started, it is sent
// TPM2_Shutdown(STATE), and TPM2_Shutdown(CLEAR) if that fails, unless the last command it executed
// was a TPM2_Shutdown that succeeded. Without this an abrupt VM reset counts as a failed
// authorisation (TPM 2.0 Library part 1, dictionary attack protection). STATE comes first because
// firmware may have sent it, followed by another command, and counts on resuming.
//
// What the store does not take of a TPM's own accounts (failed authorisations, time) is kept in
// memory and tried again: behind the next command, by store_unstored(), before a hand-over and at
// the end (docs/decisions/0012).
//
// Storage: nothing is written while the store's lock is not held. Once it was released for a
// hand-over, commands are answered with TPM_RC_RETRY and power is taken without TPM2_Shutdown,
// until lock_storage() takes it back or power_on() begins anew from what is stored.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/mutex.h"
#include "engine/command/codec.h"
#include "engine/state/state_store.h"
#include "engine/tpm/backoff.h"
#include "engine/tpm/engine.h"
#include "engine/tpm/phase.h"

namespace vtpm {

// What becomes of what the store has not taken: some is kept in memory; all is stored; the TPM ends
// and it is lost.
enum class Unstored { kept, stored, lost };

struct VirtualTpmOptions {
  bool auto_shutdown = true;  // the rule above
  // A power_on() that finds no state leaves the TPM off and waiting instead of failed.
  bool wait_for_storage = false;
};

class VirtualTpm {
 public:
  // A command that was accepted and has not begun: it can be cancelled already. Move-only; one that
  // is dropped is forgotten.
  class Pending {
   public:
    Pending() = default;
    Pending(Pending&& other) noexcept
        : tpm_(std::exchange(other.tpm_, nullptr)),
          power_cycle_(other.power_cycle_),
          locality_(other.locality_) {}
    Pending& operator=(Pending&& other) noexcept {
      std::swap(tpm_, other.tpm_);
      std::swap(power_cycle_, other.power_cycle_);
      std::swap(locality_, other.locality_);
      return *this;
    }
    ~Pending();

   private:
    friend class VirtualTpm;
    Pending(VirtualTpm& tpm, unsigned power_cycle, Locality locality)
        : tpm_(&tpm), power_cycle_(power_cycle), locality_(locality) {}
    VirtualTpm* tpm_ = nullptr;
    unsigned power_cycle_ = 0;
    Locality locality_{};  // that was set when the command was accepted, for that power cycle
  };

  VirtualTpm(Engine& engine, StateStore& store, Backoff& backoff, VirtualTpmOptions options = {});

  // -- Queries; they never block --

  [[nodiscard]] TpmVersion version() const { return engine_.version(); }
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool waits_for_storage() const { return waiting_; }
  [[nodiscard]] bool storage_locked() const { return storage_locked_; }
  // Whether something that the TPM wants stored is in memory alone.
  [[nodiscard]] bool has_unstored() const { return has_unstored_; }
  [[nodiscard]] uint64_t commands() const { return commands_; }  // executed so far
  // Empty unless Failed, or waiting for storage.
  [[nodiscard]] std::string failure_reason() const;
  [[nodiscard]] std::string storage() const { return store_.describe(); }

  // -- Power --

  // INIT: power on; while on, a power cycle. Takes the storage lock if it is not held. On failure
  // the phase is Failed and the reason is kept.
  //
  // With wait_for_storage, storage that cannot be had (missing, locked, not readable yet) and
  // storage without a state are no failure: it is let go again, the TPM is off, and until a
  // power_on() succeeds or power_off() ends the waiting, commands are answered with TPM_RC_RETRY.
  // Who waits calls power_on_if_waiting() from time to time.
  //
  // What was given by set_state() is for one power_on(): one that fails forgets it, so that it
  // cannot come over a state that appears later.
  Result<void> power_on(StoredVolatile stored = StoredVolatile::keep);

  // True when it waited and is on now. Whoever has taken the matter over in between is left alone.
  Result<bool> power_on_if_waiting();

  // TPM2_Startup or TPM_Startup, as firmware does it after power-on.
  // Errors: tpm with the response code (also as tpm_result) when the TPM refuses.
  Result<void> startup(StartupType type);

  // STOP: power off, in order. Off already is no error.
  void power_off();

  // SHUTDOWN, or the daemon's own end: power off, in order, for good. A command that runs is
  // cancelled, and waits for nothing any more; commands that have not begun are answered with the
  // failure response, however many there are.
  void end();

  // The other TPM version, with that version's own state. Errors: wrong_phase while on.
  Result<void> set_version(TpmVersion version);

  // -- Commands --

  // Never blocks.
  [[nodiscard]] Pending accept();

  // One command in, one well-formed response out: whatever is wrong, it is said in the TPM's own
  // terms. Without power that is the failure response. `command` has at most kMaxMessage bytes.
  // `locality` is for this command only; nothing: the one set_locality() said.
  //
  // A TPM 2.0 that is on and not started says how long commands may be (TPM2_GetCapability of
  // exactly that), which it would refuse by itself: docs/decisions/0004.
  //
  // TPM_RC_RETRY and TPM_RC_TESTING (but for self tests) are sent again with the kernel driver's
  // back-off: nobody below a character device does it for them.
  //
  // A command that stores by design and cannot is undone and answered with TPM_RC_NV_UNAVAILABLE
  // (TPM 1.2: TPM_RETRY); once the storage is back the next one works (docs/decisions/0012).
  Bytes execute(Pending pending, ByteView command, std::optional<Locality> locality = {});
  Bytes execute(ByteView command) { return execute(accept(), command); }

  // Whether what runs may take long: a command that computes (making keys, self tests), or one that
  // waits before it is sent again. Never blocks; a hint, it may have ended by the time the caller
  // acts.
  [[nodiscard]] bool busy_for_long() const { return busy_for_long_; }

  // Ends the running command, or the next one if one was accepted and none runs, with
  // TPM_RC_CANCELED. Never blocks, never meets a command that is accepted later. Without a command
  // it does nothing. Errors: unsupported for TPM 1.2.
  Result<void> cancel();

  // For commands that are accepted after this call, until the next power-on. Never blocks.
  void set_locality(Locality locality) { locality_ = locality; }
  [[nodiscard]] Locality locality() const { return locality_; }

  // 0 asks only. Errors: wrong_phase when it is to be changed and the TPM is not off.
  Result<BufferSizes> buffer_size(uint32_t wanted);

  // The dictionary-attack protection, asked from the TPM beside the commands of its clients: it is
  // not counted, and not the command after TPM2_Shutdown. Nothing while a command runs, for it does
  // not wait; nor for TPM 1.2, nor for one that is not started or whose storage is let go.
  std::optional<LockoutState> lockout();

  // -- The established flag, the hash interface, the description: as in Engine; wrong_phase unless
  // on, busy for what may write while the storage is released --
  Result<bool> established();
  Result<void> reset_established(Locality locality);
  Result<void> hash_start();
  Result<void> hash_data(ByteView data);
  Result<void> hash_end();
  Result<std::string> info(uint64_t what);

  // -- State --

  // As in Engine; get while on, set while off or failed.
  Result<Bytes> get_state(BlobKind kind);
  Result<void> set_state(BlobKind kind, ByteView blob);
  // Writes the volatile state to storage, where every later power-on finds it. While on.
  // Errors: the store's, also when what belongs to it cannot be stored.
  Result<void> store_volatile();

  // One attempt to store what is unstored. True when nothing is left that a later one could store.
  bool store_unstored();

  // For a hand-over: another process may lock the storage from now on. Errors: the store's, and the
  // lock is kept, when something is unstored: the other process would not have it.
  Result<void> release_storage();
  // One attempt. Errors: busy while somebody else holds it; corrupt, and the phase is Failed, when
  // what is stored was changed while the lock was released.
  Result<void> lock_storage();

  // `tell` is called for every phase change with its reason, for the log of whoever runs the TPM,
  // under the TPM's lock. Set it before the first event.
  void on_phase_change(std::function<void(Phase, Event, const std::string& reason)> tell);
  // Likewise for every command that was undone because what it changed could not be stored.
  void on_undone(std::function<void(CommandCode, const std::string& reason)> tell);

  // Likewise when something is unstored, when it is stored, and when it is lost; with the store's
  // reason.
  void on_unstored(std::function<void(Unstored, const std::string& reason)> tell);

 private:
  Result<void> require_on() const VTPM_REQUIRES(mutex_);
  Result<void> require_storage() const VTPM_REQUIRES(mutex_);
  Result<void> take_storage() VTPM_REQUIRES(mutex_);
  Result<void> power_on_locked(StoredVolatile stored) VTPM_REQUIRES(mutex_);
  Result<void> power_on_failed(Error error, bool may_wait) VTPM_REQUIRES(mutex_);
  Result<void> refuse_changed_storage() VTPM_REQUIRES(mutex_);
  void take_power() VTPM_REQUIRES(mutex_);
  void shut_down_in_order() VTPM_REQUIRES(mutex_);
  [[nodiscard]] bool needs_shutdown() const VTPM_REQUIRES(mutex_);
  void enter(Event event, const std::string& reason = {}) VTPM_REQUIRES(mutex_);
  [[nodiscard]] bool asks_size_before_startup(ByteView command) const VTPM_REQUIRES(mutex_);
  Bytes respond(ByteView command, Locality locality) VTPM_REQUIRES(mutex_);
  Bytes transmit(ByteView command, Locality locality) VTPM_REQUIRES(mutex_);
  Bytes transmit_once(ByteView command, Locality locality) VTPM_REQUIRES(mutex_);
  Bytes answer_to_failed(ByteView command, const Error& error) VTPM_REQUIRES(mutex_);
  Bytes execute_locked(Pending pending, ByteView command, std::optional<Locality> locality)
      VTPM_REQUIRES(mutex_);
  void note_unstored() VTPM_REQUIRES(mutex_);
  void announce_end();
  [[nodiscard]] bool is_given_up() const VTPM_REQUIRES(mutex_);
  void note_executed(ByteView command, ByteView response) VTPM_REQUIRES(mutex_);
  void begin_running(Pending pending);
  void end_running();

  Engine& engine_;
  StateStore& store_;
  Backoff& backoff_;
  const VirtualTpmOptions options_;
  std::function<void(Phase, Event, const std::string&)> tell_;
  std::function<void(CommandCode, const std::string&)> tell_undone_;
  std::function<void(Unstored, const std::string&)> tell_unstored_;

  // Changed under mutex_, read by anybody.
  std::atomic<Phase> phase_ = Phase::off;
  std::atomic<bool> started_ = false;
  std::atomic<bool> waiting_ = false;
  std::atomic<bool> storage_locked_ = false;
  std::atomic<bool> has_unstored_ = false;
  std::atomic<uint64_t> commands_ = 0;

  std::atomic<bool> ending_ = false;  // end() has begun
  std::atomic<Locality> locality_{};
  std::atomic<unsigned> power_cycle_ = 0;  // counts power-ons; changed after the locality
  std::atomic<bool> busy_for_long_ = false;

  mutable Mutex mutex_;                                 // the TPM's lock: held while a command runs
  bool shutting_down_ VTPM_GUARDED_BY(mutex_) = false;  // what is sent now is the rule's
  bool last_was_shutdown_ VTPM_GUARDED_BY(mutex_) = false;
  std::optional<Bytes> released_state_ VTPM_GUARDED_BY(mutex_);  // permanent, as it was let go

  mutable Mutex cancel_mutex_;  // after mutex_; never held for long
  unsigned pending_ VTPM_GUARDED_BY(cancel_mutex_) = 0;
  bool running_ VTPM_GUARDED_BY(cancel_mutex_) = false;
  bool next_canceled_ VTPM_GUARDED_BY(cancel_mutex_) = false;  // while none runs
  std::atomic<bool> canceled_ = false;  // the running one; changed under cancel_mutex_

  mutable Mutex reason_mutex_;  // after mutex_; never held for long
  std::string failure_reason_ VTPM_GUARDED_BY(reason_mutex_);
};

}  // namespace vtpm
