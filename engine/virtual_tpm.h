// A TPM with its power cycle: phase, lock, shutdown rule, retries. Everything above (control
// requests, device nodes) uses the TPM through this class only.
//
// Ownership: borrows the engine, the store and the back-off, which outlive it.
// Threads: any. Commands and power events are serialised by the TPM's lock and may block for as
// long as a running command takes; phase(), version(), busy_for_long(), set_locality() and cancel()
// never block.
//
// Shutdown before re-init: before power is taken from a TPM 2.0 that is on and started, it is sent
// TPM2_Shutdown(STATE), and TPM2_Shutdown(CLEAR) if that fails, unless the last command it executed
// was a TPM2_Shutdown that succeeded. Without this an abrupt VM reset counts as a failed
// authorisation (TPM 2.0 Library part 1, dictionary attack protection). STATE comes first because
// firmware may have sent it, followed by another command, and counts on resuming.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "engine/backoff.h"
#include "engine/engine.h"
#include "engine/mutex.h"
#include "engine/phase.h"
#include "engine/state_store.h"

namespace vtpm {

struct VirtualTpmOptions {
  bool auto_shutdown = true;  // the rule above
};

class VirtualTpm {
 public:
  VirtualTpm(Engine& engine, Backoff& backoff, VirtualTpmOptions options = {});

  [[nodiscard]] TpmVersion version() const { return engine_.version(); }
  [[nodiscard]] Phase phase() const { return phase_; }

  // INIT: power on; while on, a power cycle. On failure the phase is Failed and the reason is kept.
  Result<void> power_on(StoredVolatile stored = StoredVolatile::keep);

  // TPM2_Startup or TPM_Startup, as firmware does it after power-on.
  // Errors: tpm with the response code when the TPM refuses.
  Result<void> startup(StartupType type);

  // STOP: power off, in order. Off already is no error.
  void power_off();

  // SHUTDOWN, or the daemon's own end: power off, in order, for good.
  void end();

  // One command in, one well-formed response out: whatever is wrong, it is said in the TPM's own
  // terms. Without power that is the failure response. `command` has at most kMaxMessage bytes.
  //
  // A TPM 2.0 that is on and not started says how long commands may be (TPM2_GetCapability of
  // exactly that), which it would refuse by itself: docs/decisions/0004.
  //
  // TPM_RC_RETRY and TPM_RC_TESTING (but for self tests) are sent again with the kernel driver's
  // back-off: nobody below a character device does it for them.
  Bytes execute(ByteView command);

  // Whether what runs may take long: a command that computes (making keys, self tests), or one that
  // waits before it is sent again. Never blocks; a hint, it may have ended by the time the caller
  // acts.
  [[nodiscard]] bool busy_for_long() const { return busy_for_long_; }

  // Asks the running command to end early. Does nothing when none runs.
  void cancel();

  // For commands that begin after this call.
  void set_locality(Locality locality) { locality_ = locality; }
  [[nodiscard]] Locality locality() const { return locality_; }

  // 0 asks only. Errors: wrong_phase when it is to be changed and the TPM is not off.
  Result<BufferSizes> buffer_size(uint32_t wanted);

  // Why the TPM is in the Failed phase; empty in others.
  [[nodiscard]] std::string failure_reason() const;

  // `tell` is called for every phase change with its reason, for the log of whoever runs the TPM,
  // under the TPM's lock. Set it before the first event.
  void on_phase_change(std::function<void(Phase, Event, const std::string& reason)> tell);

 private:
  void take_power() VTPM_REQUIRES(mutex_);
  void shut_down_in_order() VTPM_REQUIRES(mutex_);
  [[nodiscard]] bool needs_shutdown() const VTPM_REQUIRES(mutex_);
  void enter(Event event, const std::string& reason = {}) VTPM_REQUIRES(mutex_);
  [[nodiscard]] bool asks_size_before_startup(ByteView command) const VTPM_REQUIRES(mutex_);
  Bytes transmit(ByteView command) VTPM_REQUIRES(mutex_);
  Bytes transmit_once(ByteView command) VTPM_REQUIRES(mutex_);
  void note_executed(ByteView command, ByteView response) VTPM_REQUIRES(mutex_);

  Engine& engine_;
  Backoff& backoff_;
  const VirtualTpmOptions options_;
  std::function<void(Phase, Event, const std::string&)> tell_;

  std::atomic<Phase> phase_ = Phase::off;  // changed under mutex_, read by anybody
  std::atomic<Locality> locality_{};
  std::atomic<bool> busy_for_long_ = false;

  mutable Mutex mutex_;  // the TPM's lock: held while a command runs
  bool started_ VTPM_GUARDED_BY(mutex_) = false;
  bool last_was_shutdown_ VTPM_GUARDED_BY(mutex_) = false;

  mutable Mutex reason_mutex_;  // after mutex_; never held for long
  std::string failure_reason_ VTPM_GUARDED_BY(reason_mutex_);
};

}  // namespace vtpm
