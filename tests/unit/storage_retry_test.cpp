#include "cuse/daemon/storage_retry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <new>

namespace vtpm {
namespace {

constexpr std::chrono::milliseconds kSoon{1};
constexpr std::chrono::hours kNever{1};

TEST(StorageRetry, Woken_AttemptsUntilOneIsTheLast) {
  std::promise<int> done;
  int attempts = 0;
  StorageRetry retry;
  retry.start(
      [&] {
        bool last = ++attempts == 3;
        if (last) {
          done.set_value(attempts);
        }
        return last;
      },
      kSoon);

  retry.wake();

  EXPECT_EQ(done.get_future().get(), 3);
  retry.stop();
  EXPECT_EQ(attempts, 3);
}

TEST(StorageRetry, AttemptThatRunsOutOfMemory_IsMadeAgain) {
  std::promise<void> again;
  int attempts = 0;
  StorageRetry retry;
  retry.start(
      [&] {
        if (++attempts == 1) {
          throw std::bad_alloc();
        }
        again.set_value();
        return true;
      },
      kSoon);

  retry.wake();

  again.get_future().get();
}

TEST(StorageRetry, WokenBehindTheLastAttempt_AttemptsAgain) {
  std::promise<void> first;
  std::promise<void> second;
  std::atomic<int> attempts = 0;
  StorageRetry retry;
  retry.start(
      [&] {
        (++attempts == 1 ? first : second).set_value();
        return true;
      },
      kSoon);
  retry.wake();
  first.get_future().wait();

  retry.wake();

  second.get_future().wait();
  retry.stop();
  EXPECT_EQ(attempts, 2);
}

TEST(StorageRetry, NeverWoken_AttemptsNothing) {
  std::atomic<int> attempts = 0;
  StorageRetry retry;
  retry.start([&] { return ++attempts > 0; }, kSoon);

  retry.stop();

  EXPECT_EQ(attempts, 0);
}

TEST(StorageRetry, Stop_DoesNotWaitForTheInterval) {
  std::atomic<int> attempts = 0;
  StorageRetry retry;
  retry.start([&] { return ++attempts > 0; }, kNever);
  retry.wake();

  retry.stop();

  EXPECT_EQ(attempts, 0);
}

TEST(StorageRetry, WokenBehindStop_DoesNothing) {
  std::atomic<int> attempts = 0;
  StorageRetry retry;
  retry.start([&] { return ++attempts > 0; }, kSoon);
  retry.stop();

  retry.wake();

  EXPECT_EQ(attempts, 0);
}

}  // namespace
}  // namespace vtpm
