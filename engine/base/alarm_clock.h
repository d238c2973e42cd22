// Time, and being called back at a time; injectable, so that tests move it by hand.
//
// Threads: any. Callbacks come on the clock's own thread, one at a time, with no lock held.
// Errors: what a callback throws ends that callback and no other.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <thread>
#include <utility>

#include "engine/base/mutex.h"
#include "engine/base/task.h"

namespace vtpm {

class AlarmClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  AlarmClock() = default;
  AlarmClock(const AlarmClock&) = delete;
  AlarmClock& operator=(const AlarmClock&) = delete;
  virtual ~AlarmClock() = default;

  [[nodiscard]] virtual Time now() const = 0;

  // Names one alarm; never used again for another.
  using Alarm = std::pair<Time, uint64_t>;

  // Calls `callback` once, at `when` or soon after.
  virtual Alarm call_at(Time when, Task callback) = 0;

  // Drops the callback. One that was called, or is being called at this moment, is no error.
  virtual void cancel(Alarm alarm) = 0;
};

// Has a thread from the first call_at() until stop() or its end.
class RealAlarmClock final : public AlarmClock {
 public:
  ~RealAlarmClock() override { stop(); }

  [[nodiscard]] Time now() const override { return std::chrono::steady_clock::now(); }
  Alarm call_at(Time when, Task callback) override;
  void cancel(Alarm alarm) override;

  // Callbacks that are due later never come and are dropped. Waits for one that runs.
  void stop();

 private:
  void run();

  Mutex mutex_;
  ConditionVariable changed_;
  bool stopping_ VTPM_GUARDED_BY(mutex_) = false;
  uint64_t next_number_ VTPM_GUARDED_BY(mutex_) = 0;
  std::map<Alarm, Task> alarms_ VTPM_GUARDED_BY(mutex_);
  std::thread thread_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
