// What a daemon remembers of its own life for those who ask: since when it serves, when and why its
// storage failed last, and whether it still does.
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
#include "engine/base/result.h"

namespace vtpm {

class DaemonHealth {
 public:
  using Clock = std::chrono::steady_clock;

  explicit DaemonHealth(std::function<Clock::time_point()> now = Clock::now)
      : now_(std::move(now)), began_(now_()) {}

  [[nodiscard]] std::chrono::seconds uptime() const { return since(began_); }

  // Whether the storage took what it was given (WatchedStore).
  void note_storage(const Result<void>& outcome) {
    MutexLock lock(mutex_);
    if (!outcome) {
      failure_ = {outcome.error().message, now_(), true};
    } else if (failure_) {
      failure_->lasts = false;
    }
  }

  // Nothing when it never failed.
  [[nodiscard]] std::optional<StorageFailure> storage_failure() const {
    MutexLock lock(mutex_);
    return failure_ ? std::optional(
                          StorageFailure{failure_->reason, since(failure_->when), failure_->lasts})
                    : std::nullopt;
  }

 private:
  struct Failure {
    std::string reason;
    Clock::time_point when;
    bool lasts;
  };

  [[nodiscard]] std::chrono::seconds since(Clock::time_point then) const {
    return std::chrono::duration_cast<std::chrono::seconds>(now_() - then);
  }

  const std::function<Clock::time_point()> now_;
  const Clock::time_point began_;
  mutable Mutex mutex_;
  std::optional<Failure> failure_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
