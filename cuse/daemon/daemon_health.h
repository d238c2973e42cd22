// What a daemon remembers of its own life for those who ask: since when it serves, and when and why
// its storage failed last, which it hears from the TPM.
//
// Threads: any; one lock, a leaf, held for a few instructions.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "ctl/control/surroundings.h"
#include "engine/base/mutex.h"
#include "engine/tpm/tpm_events.h"

namespace vtpm {

class DaemonHealth final : public TpmListener {
 public:
  using Clock = std::chrono::steady_clock;

  explicit DaemonHealth(std::function<Clock::time_point()> now = Clock::now)
      : now_(std::move(now)), began_(now_()) {}

  [[nodiscard]] std::chrono::seconds uptime() const { return since(began_); }

  void on_not_stored(CommandCode /*command*/, Change /*change*/,
                     const std::string& reason) override {
    note_storage_failure(reason);
  }
  void on_unstored(Unstored what, const std::string& reason) override {
    if (what == Unstored::kept) {
      note_storage_failure(reason);
    }
  }

  // Nothing when it never failed.
  [[nodiscard]] std::optional<StorageFailure> storage_failure() const {
    MutexLock lock(mutex_);
    return failure_ ? std::optional(StorageFailure{failure_->first, since(failure_->second)})
                    : std::nullopt;
  }

 private:
  void note_storage_failure(std::string reason) {
    MutexLock lock(mutex_);
    failure_ = {std::move(reason), now_()};
  }

  [[nodiscard]] std::chrono::seconds since(Clock::time_point then) const {
    return std::chrono::duration_cast<std::chrono::seconds>(now_() - then);
  }

  const std::function<Clock::time_point()> now_;
  const Clock::time_point began_;
  mutable Mutex mutex_;
  std::optional<std::pair<std::string, Clock::time_point>> failure_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
