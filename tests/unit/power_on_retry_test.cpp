#include "cuse/power_on_retry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace vtpm {
namespace {

constexpr std::chrono::milliseconds kSoon{1};
constexpr std::chrono::hours kNever{1};

TEST(PowerOnRetry, Attempts_AreMadeUntilOneIsTheLast) {
  std::promise<int> done;
  int attempts = 0;
  PowerOnRetry retry;

  retry.start(
      [&] {
        bool last = ++attempts == 3;
        if (last) {
          done.set_value(attempts);
        }
        return last;
      },
      kSoon);

  EXPECT_EQ(done.get_future().get(), 3);
  retry.stop();
  EXPECT_EQ(attempts, 3);
}

TEST(PowerOnRetry, Stop_DoesNotWaitForTheInterval) {
  std::atomic<int> attempts = 0;
  PowerOnRetry retry;
  retry.start([&] { return ++attempts > 0; }, kNever);

  retry.stop();

  EXPECT_EQ(attempts, 0);
}

TEST(PowerOnRetry, StopWithoutStart_DoesNothing) {
  PowerOnRetry retry;
  retry.stop();
}

}  // namespace
}  // namespace vtpm
