// The state a TPM is in (lifecycle.h), and why it failed if it did.
//
// Threads: changed by one thread at a time, under the TPM's lock; read by any, without blocking.
#pragma once

#include <atomic>
#include <string>

#include "engine/base/mutex.h"
#include "engine/tpm/lifecycle.h"
#include "engine/tpm/tpm_events.h"

namespace vtpm {

class PowerState {
 public:
  explicit PowerState(TpmListener& listener) : listener_(listener) {}

  [[nodiscard]] TpmState state() const { return state_; }
  [[nodiscard]] bool on() const { return phase_of(state_) == Phase::on; }
  // Empty unless failed, or waiting for storage.
  [[nodiscard]] std::string failure_reason() const;

  // The one mutator of the state. An event that leads nowhere from here changes nothing.
  void enter(Event event, const std::string& reason = {});

 private:
  TpmListener& listener_;
  std::atomic<TpmState> state_ = TpmState::off;

  mutable Mutex reason_mutex_;  // never held for long
  std::string failure_reason_ VTPM_GUARDED_BY(reason_mutex_);
};

}  // namespace vtpm
