// Tries again and again, on a thread of its own, what storage refused: a power-on or a Startup at
// the daemon's start, and what the TPM wants stored while its disk is full.
//
// Ownership: borrows what the attempt uses; the destructor ends the thread, which there is from the
// first wake() on. Threads: start() and stop() by one caller, wake() by any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace vtpm {

class StorageRetry {
 public:
  static constexpr std::chrono::milliseconds kInterval{500};

  StorageRetry() = default;
  StorageRetry(const StorageRetry&) = delete;
  StorageRetry& operator=(const StorageRetry&) = delete;
  ~StorageRetry() { stop(); }

  // Once, before the first wake(). `attempt` says whether there is no more to do for now.
  void start(std::function<bool()> attempt, std::chrono::milliseconds interval = kInterval);
  // From now on an attempt every `interval`, until one is the last. Never waits for an attempt.
  void wake();
  // Waits for an attempt that is under way. No wake() has an effect any more.
  void stop();

 private:
  void run();

  std::function<bool()> attempt_;
  std::chrono::milliseconds interval_{kInterval};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;  // under mutex_, as what follows
  bool due_ = false;
  std::thread thread_;
};

}  // namespace vtpm
