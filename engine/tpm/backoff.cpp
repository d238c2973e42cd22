#include "engine/tpm/backoff.h"

namespace vtpm {

bool RealBackoff::wait(std::chrono::milliseconds delay) {
  MutexLock lock(mutex_);
  waiting_ = true;
  auto deadline = std::chrono::steady_clock::now() + delay;
  while (waiting_) {
    if (interrupted_.wait_until(mutex_, deadline) == std::cv_status::timeout) {
      break;
    }
  }
  bool undisturbed = waiting_;
  waiting_ = false;
  return undisturbed;
}

void RealBackoff::interrupt() {
  MutexLock lock(mutex_);
  waiting_ = false;
  interrupted_.notify_all();
}

}  // namespace vtpm
