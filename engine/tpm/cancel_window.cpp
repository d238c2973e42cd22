#include "engine/tpm/cancel_window.h"

#include <chrono>

namespace vtpm {

void CancelWindow::open() {
  MutexLock lock(mutex_);
  open_ = true;
}

void CancelWindow::close() {
  std::thread ending;
  {
    MutexLock lock(mutex_);
    open_ = false;
    closed_.notify_all();
    ending = std::move(repeater_);
  }
  if (ending.joinable()) {
    ending.join();
  }
}

void CancelWindow::cancel() {
  MutexLock lock(mutex_);
  if (open_ && !repeater_.joinable()) {
    repeater_ = std::thread([this] { repeat(); });
  }
}

void CancelWindow::repeat() {
  constexpr std::chrono::milliseconds kPause{1};
  MutexLock lock(mutex_);
  while (open_) {
    say_cancel_();
    closed_.wait_for(mutex_, kPause);
  }
}

}  // namespace vtpm
