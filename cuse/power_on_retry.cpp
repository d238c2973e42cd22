#include "cuse/power_on_retry.h"

#include <utility>

namespace vtpm {

void PowerOnRetry::start(std::function<bool()> attempt, std::chrono::milliseconds interval) {
  thread_ = std::thread([this, attempt = std::move(attempt), interval] { run(attempt, interval); });
}

void PowerOnRetry::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void PowerOnRetry::run(const std::function<bool()>& attempt, std::chrono::milliseconds interval) {
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, interval, [this] { return stop_; })) {
    lock.unlock();
    bool done = attempt();
    lock.lock();
    if (done) {
      return;
    }
  }
}

}  // namespace vtpm
