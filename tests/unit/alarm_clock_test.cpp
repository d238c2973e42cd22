#include "engine/base/alarm_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <new>
#include <vector>

namespace vtpm {
namespace {

using std::chrono::hours;

TEST(RealAlarmClock, TimePassed_CallsAtOnce) {
  std::promise<void> called;
  RealAlarmClock clock;

  clock.call_at(clock.now() - hours(1), [&] { called.set_value(); });

  called.get_future().get();
}

TEST(RealAlarmClock, AlarmsSetOutOfOrder_ComeInTheOrderOfTheirTimes) {
  std::vector<int> order;
  std::promise<void> all_set;
  std::promise<void> last_called;
  RealAlarmClock clock;
  auto now = clock.now();

  clock.call_at(now - hours(9), [&] { all_set.get_future().wait(); });
  clock.call_at(now - hours(1), [&] {
    order.push_back(3);
    last_called.set_value();
  });
  clock.call_at(now - hours(3), [&] { order.push_back(1); });
  clock.call_at(now - hours(2), [&] { order.push_back(2); });
  all_set.set_value();
  last_called.get_future().wait();

  EXPECT_THAT(order, testing::ElementsAre(1, 2, 3));
}

TEST(RealAlarmClock, EarlierAlarmWhileALaterOneIsWaitedFor_Comes) {
  std::promise<void> called;
  RealAlarmClock clock;
  clock.call_at(clock.now() + hours(24), [] {});

  clock.call_at(clock.now(), [&] { called.set_value(); });

  called.get_future().get();
}

TEST(RealAlarmClock, CallbackThatThrows_EndsNoOther) {
  std::promise<void> called;
  RealAlarmClock clock;

  clock.call_at(clock.now() - hours(1), [] { throw std::bad_alloc(); });
  clock.call_at(clock.now(), [&] { called.set_value(); });

  called.get_future().get();
}

TEST(RealAlarmClock, CallbackThatSetsAnAlarm_IsNoDeadlock) {
  std::promise<void> called;
  RealAlarmClock clock;

  clock.call_at(clock.now(), [&] { clock.call_at(clock.now(), [&] { called.set_value(); }); });

  called.get_future().get();
}

TEST(RealAlarmClock, Stopped_NeverCallsWhatIsDueLater) {
  bool called = false;
  {
    RealAlarmClock clock;
    clock.call_at(clock.now() + hours(24), [&] { called = true; });

    clock.stop();
  }

  EXPECT_FALSE(called);
}

TEST(RealAlarmClock, Cancelled_NeverComesAndTheOthersDo) {
  bool called = false;
  std::promise<void> other_called;
  std::promise<void> all_set;
  RealAlarmClock clock;
  clock.call_at(clock.now() - hours(3), [&] { all_set.get_future().wait(); });
  auto alarm = clock.call_at(clock.now() - hours(2), [&] { called = true; });
  clock.call_at(clock.now() - hours(1), [&] { other_called.set_value(); });

  clock.cancel(alarm);
  all_set.set_value();
  other_called.get_future().wait();

  EXPECT_FALSE(called);
}

TEST(RealAlarmClock, AlarmAfterStop_NeverComes) {
  bool called = false;
  {
    RealAlarmClock clock;
    clock.stop();

    clock.call_at(clock.now() - hours(1), [&] { called = true; });
  }

  EXPECT_FALSE(called);
}

TEST(RealAlarmClock, Stop_WaitsForTheCallbackThatRuns) {
  std::promise<void> running;
  std::promise<void> go_on;
  bool ended = false;
  RealAlarmClock clock;
  clock.call_at(clock.now(), [&] {
    running.set_value();
    go_on.get_future().wait();
    ended = true;
  });
  running.get_future().wait();
  auto release = std::async(std::launch::async, [&] { go_on.set_value(); });

  clock.stop();

  EXPECT_TRUE(ended);
}

TEST(RealAlarmClock, StoppedTwiceOrNeverUsed_IsNoError) {
  RealAlarmClock clock;

  clock.stop();
  clock.stop();
}

}  // namespace
}  // namespace vtpm
