// A clock that tests move by hand.
#pragma once

#include <map>
#include <utility>

#include "engine/base/alarm_clock.h"

namespace vtpm {

class FakeClock final : public AlarmClock {
 public:
  [[nodiscard]] Time now() const override {
    MutexLock lock(mutex_);
    return now_;
  }

  Alarm call_at(Time when, Task callback) override {
    MutexLock lock(mutex_);
    Alarm alarm(when, next_number_++);
    alarms_.emplace(alarm, std::move(callback));
    return alarm;
  }

  void cancel(Alarm alarm) override {
    MutexLock lock(mutex_);
    alarms_.erase(alarm);
  }

  // Moves time on and calls back, on this thread, whatever has become due.
  void advance(std::chrono::milliseconds by) {
    {
      MutexLock lock(mutex_);
      now_ += by;
    }
    while (auto due = next_due()) {
      due();
    }
  }

  // Drops what has not become due.
  void forget() {
    std::map<Alarm, Task> dropped;
    MutexLock lock(mutex_);
    dropped.swap(alarms_);
  }

  [[nodiscard]] size_t alarms() const {
    MutexLock lock(mutex_);
    return alarms_.size();
  }

 private:
  Task next_due() {
    MutexLock lock(mutex_);
    if (alarms_.empty() || alarms_.begin()->first.first > now_) {
      return {};
    }
    return std::move(alarms_.extract(alarms_.begin()).mapped());
  }

  mutable Mutex mutex_;
  Time now_ VTPM_GUARDED_BY(mutex_);
  uint64_t next_number_ VTPM_GUARDED_BY(mutex_) = 0;
  std::map<Alarm, Task> alarms_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
