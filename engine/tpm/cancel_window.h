// The span in which a command can be cancelled, for engines whose library forgets a cancel that
// comes in the first moments of a command.
//
// libtpms clears its cancel flag when it begins a command and looks at it from time to time later.
// So a cancel that is to count is said again every millisecond until the command has ended, on a
// thread that exists only then.
//
// Threads: open() and close() by whoever runs the command; cancel() by anybody, never blocks.
#pragma once

#include <functional>
#include <thread>

#include "engine/base/mutex.h"

namespace vtpm {

class CancelWindow {
 public:
  explicit CancelWindow(std::function<void()> say_cancel) : say_cancel_(std::move(say_cancel)) {}
  ~CancelWindow() { close(); }
  CancelWindow(const CancelWindow&) = delete;
  CancelWindow& operator=(const CancelWindow&) = delete;

  void open();   // a command begins
  void close();  // it has ended; nothing is said any more when this returns

  // Within the window: says it, again and again. Outside: nothing.
  void cancel();

 private:
  void repeat();

  const std::function<void()> say_cancel_;
  Mutex mutex_;
  ConditionVariable closed_;
  bool open_ VTPM_GUARDED_BY(mutex_) = false;
  std::thread repeater_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
