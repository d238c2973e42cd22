#include "engine/tpm/backoff.h"

#include <gtest/gtest.h>

#include <future>

namespace vtpm {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(RealBackoff, TimeIsUp_WasUndisturbed) {
  RealBackoff backoff;

  EXPECT_TRUE(backoff.wait(milliseconds(0)));
}

TEST(RealBackoff, InterruptWithoutAWait_DoesNothing) {
  RealBackoff backoff;
  backoff.interrupt();

  EXPECT_TRUE(backoff.wait(milliseconds(0)));
}

TEST(RealBackoff, InterruptDuringAWait_EndsIt) {
  RealBackoff backoff;
  auto undisturbed = std::async(std::launch::async, [&] { return backoff.wait(hours(24)); });

  // Nobody can see from outside whether the wait has begun: interrupt until it has ended.
  while (undisturbed.wait_for(milliseconds(1)) != std::future_status::ready) {
    backoff.interrupt();
  }

  EXPECT_FALSE(undisturbed.get());
}

}  // namespace
}  // namespace vtpm
