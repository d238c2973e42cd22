// A cancel means the command that runs, or else the next one that was accepted, and never another.
#include <gmock/gmock.h>

#include <future>

#include "tests/unit/virtual_tpm_fixture.h"

namespace vtpm {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Cancel : public VirtualTpmTest {
 protected:
  explicit Cancel(TpmVersion version = TpmVersion::tpm20) : VirtualTpmTest(version) {}

  void SetUp() override {
    power_on_and_start();
    engine_.executed.clear();
  }
  void cancel() { ASSERT_TRUE(tpm_.cancel().has_value()); }
  ResponseCode execute(VirtualTpm::Pending pending) {
    return response_code(tpm_.execute(pending, get_random(8)));
  }
  using VirtualTpmTest::execute;
};

TEST_F(Cancel, NothingPending_DoesNothing) {
  cancel();

  EXPECT_EQ(execute(get_random(8)), rc::success);
  EXPECT_FALSE(backoff_.interrupted);
}

TEST_F(Cancel, RunningCommand_EndsCanceledAndTheNextIsFine) {
  engine_.hold_long_commands();
  auto code = std::async(std::launch::async, [&] { return execute(create_primary()); });
  engine_.wait_until_held();

  cancel();

  EXPECT_EQ(code.get(), rc::canceled);
  EXPECT_EQ(execute(get_random(8)), rc::success);
}

TEST_F(Cancel, LockoutWhileACommandRuns_IsNotKnownAndDoesNotWait) {
  engine_.hold_long_commands();
  auto code = std::async(std::launch::async, [&] { return execute(create_primary()); });
  engine_.wait_until_held();

  EXPECT_FALSE(tpm_.lockout().has_value());

  cancel();
  EXPECT_EQ(code.get(), rc::canceled);
  EXPECT_TRUE(tpm_.lockout().has_value());
}

TEST_F(Cancel, AcceptedCommand_IsCanceledWithoutReachingTheTpm) {
  auto pending = tpm_.accept();

  cancel();

  EXPECT_EQ(execute(pending), rc::canceled);
  EXPECT_THAT(engine_.executed, IsEmpty());
}

TEST_F(Cancel, OfSeveralAcceptedCommands_MeansTheNextOnly) {
  auto first = tpm_.accept();
  auto second = tpm_.accept();

  cancel();

  EXPECT_EQ(execute(first), rc::canceled);
  EXPECT_EQ(execute(second), rc::success);
}

TEST_F(Cancel, AcceptedCommandThatIsDropped_TakesTheCancelWithIt) {
  {
    static_cast<void>(tpm_.accept());
    cancel();
  }

  EXPECT_EQ(execute(get_random(8)), rc::success);
}

TEST_F(Cancel, CommandAcceptedAfterwards_IsNotMeant) {
  cancel();
  auto pending = tpm_.accept();

  EXPECT_EQ(execute(pending), rc::success);
}

TEST_F(Cancel, RunningCommandWhileAnotherWaits_LeavesTheOther) {
  engine_.hold_long_commands();
  auto waiting = tpm_.accept();
  auto code = std::async(std::launch::async, [&] { return execute(create_primary()); });
  engine_.wait_until_held();

  cancel();

  EXPECT_EQ(code.get(), rc::canceled);
  EXPECT_EQ(execute(waiting), rc::success);
}

// The moment between a command's beginning and the engine's: the engine hears of it all the same.
TEST_F(Cancel, InTheMomentBeforeTheEngineBegins_IsNotLost) {
  engine_.hold_long_commands();
  engine_.before_execute = [this] { cancel(); };

  EXPECT_EQ(execute(create_primary()), rc::canceled);
  EXPECT_THAT(engine_.executed, ElementsAre(cc::create_primary));
}

TEST_F(Cancel, DuringTheBackOff_EndsTheWaitAndTheCommand) {
  engine_.answers.assign(100, rc::retry);
  backoff_.during_wait = [this] { cancel(); };

  EXPECT_EQ(execute(get_random(8)), rc::canceled);

  EXPECT_THAT(backoff_.waits, ElementsAre(milliseconds(20)));
  EXPECT_THAT(engine_.executed, SizeIs(1));
}

TEST_F(Cancel, AfterTheEnginesAnswerToRetry_DoesNotWaitAtAll) {
  engine_.answers.assign(100, rc::retry);
  engine_.before_execute = [this] { cancel(); };

  EXPECT_EQ(execute(get_random(8)), rc::canceled);

  EXPECT_THAT(backoff_.waits, IsEmpty());
}

TEST_F(Cancel, DuringTheBackOff_DoesNotMeetTheNextCommand) {
  engine_.answers = {rc::retry};
  backoff_.during_wait = [this] { cancel(); };
  execute(get_random(8));

  EXPECT_EQ(execute(get_random(8)), rc::success);
}

TEST_F(Cancel, AcceptedCommand_DoesNotStopTheShutdownAtPowerOff) {
  static_cast<void>(tpm_.accept());
  cancel();
  engine_.answers = {rc::retry};

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off,
              testing::Contains(shutdown_command(ShutdownType::state)).Times(2));
}

// -- the end --

TEST_F(Cancel, EndWhileACommandRuns_CancelsItAndSendsShutdown) {
  engine_.hold_long_commands();
  auto code = std::async(std::launch::async, [&] { return execute(create_primary()); });
  engine_.wait_until_held();

  tpm_.end();

  EXPECT_EQ(code.get(), rc::canceled);
  EXPECT_THAT(engine_.executed, ElementsAre(cc::create_primary, cc::shutdown));
}

TEST_F(Cancel, CommandThatWaitsWhenTheEndBegins_IsAnsweredAndNotBegun) {
  engine_.hold_long_commands();
  auto running = std::async(std::launch::async, [&] { return execute(create_primary()); });
  engine_.wait_until_held();
  auto accepted = tpm_.accept();
  auto end = std::async(std::launch::async, [&] { tpm_.end(); });
  running.wait();

  EXPECT_EQ(execute(accepted), rc::failure);

  end.wait();
  EXPECT_THAT(engine_.executed, testing::Not(testing::Contains(cc::get_random)));
}

TEST_F(Cancel, EndDuringTheBackOff_EndsTheWait) {
  engine_.answers.assign(100, rc::retry);
  std::future<void> end;
  backoff_.during_wait = [&] {
    end = std::async(std::launch::async, [&] { tpm_.end(); });
    while (!backoff_.interrupted) {
      std::this_thread::yield();
    }
    engine_.answers.clear();
  };

  EXPECT_EQ(execute(get_random(8)), rc::canceled);

  end.wait();
  EXPECT_THAT(backoff_.waits, ElementsAre(milliseconds(20)));
}

TEST_F(Cancel, EndedTpm_IsNotPoweredOnAgain) {
  tpm_.end();

  EXPECT_EQ(tpm_.power_on().error().code, Errc::wrong_phase);
}

class Cancel12 : public Cancel {
 protected:
  Cancel12() : Cancel(TpmVersion::tpm12) {}
};

TEST_F(Cancel12, IsUnsupportedAndHarmless) {
  EXPECT_EQ(tpm_.cancel().error().code, Errc::unsupported);

  EXPECT_EQ(execute(get_random(8)), rc::success);
}

}  // namespace
}  // namespace vtpm
