#include "engine/base/alarm_clock.h"

namespace vtpm {

AlarmClock::Alarm RealAlarmClock::call_at(Time when, Task callback) {
  MutexLock lock(mutex_);
  Alarm alarm(when, next_number_++);
  if (stopping_) {
    return alarm;
  }
  alarms_.emplace(alarm, std::move(callback));
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  }
  changed_.notify_one();
  return alarm;
}

void RealAlarmClock::cancel(Alarm alarm) {
  Task dropped;  // ended outside the lock
  MutexLock lock(mutex_);
  if (auto node = alarms_.extract(alarm)) {
    dropped = std::move(node.mapped());
  }
}

void RealAlarmClock::stop() {
  std::thread ending;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
    ending = std::move(thread_);
  }
  if (ending.joinable()) {
    ending.join();
  }
  std::map<Alarm, Task> dropped;  // ended outside the lock: a task may hold a request's reply
  MutexLock lock(mutex_);
  dropped.swap(alarms_);
}

void RealAlarmClock::run() {
  for (;;) {
    Task due;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && (alarms_.empty() || alarms_.begin()->first.first > now())) {
        if (alarms_.empty()) {
          changed_.wait(mutex_);
        } else {
          changed_.wait_until(mutex_, alarms_.begin()->first.first);
        }
      }
      if (stopping_) {
        return;
      }
      due = std::move(alarms_.begin()->second);
      alarms_.erase(alarms_.begin());
    }
    try {
      due();
    } catch (...) {  // NOLINT(bugprone-empty-catch): that alarm came to nothing; the others come
    }
  }
}

}  // namespace vtpm
