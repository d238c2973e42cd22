#include "cuse/daemon/storage_retry.h"

#include <utility>

namespace vtpm {

void StorageRetry::start(std::function<bool()> attempt, std::chrono::milliseconds interval) {
  attempt_ = std::move(attempt);
  interval_ = interval;
}

void StorageRetry::wake() {
  std::lock_guard lock(mutex_);
  if (stop_ || !attempt_) {
    return;
  }
  due_ = true;
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  }
  changed_.notify_all();
}

void StorageRetry::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void StorageRetry::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (!due_) {
      changed_.wait(lock, [this] { return stop_ || due_; });
      continue;
    }
    if (changed_.wait_for(lock, interval_, [this] { return stop_; })) {
      return;
    }
    due_ = false;  // a wake() during the attempt counts
    lock.unlock();
    bool done = false;
    try {
      done = attempt_();
    } catch (...) {  // NOLINT(bugprone-empty-catch): no memory for it; there may be next time
    }
    lock.lock();
    due_ = due_ || !done;
  }
}

}  // namespace vtpm
