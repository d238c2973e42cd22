// Where in its power cycle a TPM is, and why it failed if it did.
//
// Threads: changed by one thread at a time, under the TPM's lock; read by any, without blocking.
#pragma once

#include <atomic>
#include <string>

#include "engine/base/mutex.h"
#include "engine/tpm/phase.h"
#include "engine/tpm/tpm_events.h"

namespace vtpm {

class PowerState {
 public:
  explicit PowerState(TpmListener& listener) : listener_(listener) {}

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool on() const { return phase_ == Phase::on; }
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool waits_for_storage() const { return waits_for_storage_; }
  // Empty unless failed, or waiting for storage.
  [[nodiscard]] std::string failure_reason() const;

  // The one mutator of the phase. An event that the phase refuses changes nothing.
  void enter(Event event, const std::string& reason = {});

  void set_started(bool started) { started_ = started; }
  void set_waits_for_storage(bool waits) { waits_for_storage_ = waits; }

 private:
  TpmListener& listener_;
  std::atomic<Phase> phase_ = Phase::off;
  std::atomic<bool> started_ = false;
  std::atomic<bool> waits_for_storage_ = false;

  mutable Mutex reason_mutex_;  // never held for long
  std::string failure_reason_ VTPM_GUARDED_BY(reason_mutex_);
};

}  // namespace vtpm
