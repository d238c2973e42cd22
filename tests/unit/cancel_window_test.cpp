#include "engine/tpm/cancel_window.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace vtpm {
namespace {

class CancelWindowTest : public testing::Test {
 protected:
  // Waits until it was said that often.
  void wait_until_said(int times) {
    while (said_ < times) {
      said_.wait(said_.load());
    }
  }

  std::atomic<int> said_ = 0;
  CancelWindow window_{[this] {
    ++said_;
    said_.notify_all();
  }};
};

TEST_F(CancelWindowTest, CancelOutside_SaysNothing) {
  window_.cancel();
  window_.open();
  window_.close();
  window_.cancel();

  EXPECT_EQ(said_, 0);
}

TEST_F(CancelWindowTest, CancelWithin_IsSaidAgainAndAgain) {
  window_.open();

  window_.cancel();

  wait_until_said(3);
  window_.close();
}

TEST_F(CancelWindowTest, AfterClose_NothingIsSaid) {
  window_.open();
  window_.cancel();
  wait_until_said(1);

  window_.close();

  int said = said_;
  window_.open();
  window_.close();
  EXPECT_EQ(said_, said);
}

TEST_F(CancelWindowTest, CancelTwice_IsNoError) {
  window_.open();
  window_.cancel();
  window_.cancel();
  wait_until_said(1);
  window_.close();
}

TEST_F(CancelWindowTest, NextWindow_CanBeCancelledToo) {
  window_.open();
  window_.cancel();
  window_.close();
  int said = said_;

  window_.open();
  window_.cancel();

  wait_until_said(said + 1);
  window_.close();
}

TEST_F(CancelWindowTest, CancelsFromManyThreads_MeetTheirWindowOrNone) {
  std::atomic<bool> go_on = true;
  auto canceller = std::async(std::launch::async, [&] {
    while (go_on) {
      window_.cancel();
    }
  });
  for (int i = 0; i < 200; ++i) {
    window_.open();
    window_.close();
    int said = said_;
    EXPECT_EQ(said_, said);
  }
  go_on = false;
  canceller.get();
}

TEST(CancelWindow, DestroyedWhileOpen_Ends) {
  CancelWindow window([] {});
  window.open();
  window.cancel();
}

}  // namespace
}  // namespace vtpm
