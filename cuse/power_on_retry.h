// Tries again and again, on a thread of its own, to bring a TPM to where it was to be at its
// daemon's start: storage that was not there, or full, is there or has room after a while.
//
// Ownership: borrows what the attempt uses; the destructor ends the thread. Threads: one caller.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace vtpm {

class PowerOnRetry {
 public:
  static constexpr std::chrono::milliseconds kInterval{500};

  PowerOnRetry() = default;
  PowerOnRetry(const PowerOnRetry&) = delete;
  PowerOnRetry& operator=(const PowerOnRetry&) = delete;
  ~PowerOnRetry() { stop(); }

  // Once. `attempt` is called every `interval` until it says that there is no more to do.
  void start(std::function<bool()> attempt, std::chrono::milliseconds interval = kInterval);
  // Waits for an attempt that is under way.
  void stop();

 private:
  void run(const std::function<bool()>& attempt, std::chrono::milliseconds interval);

  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace vtpm
