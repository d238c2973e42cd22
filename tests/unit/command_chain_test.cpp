// The links of a command's chain, each alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/tpm/command_runner.h"
#include "engine/tpm/power_gate.h"
#include "engine/tpm/retry_link.h"
#include "tests/support/commands.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/fake_engine.h"
#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/recording_listener.h"
#include "tests/support/scripted_port.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::FieldsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Chain : public testing::Test {
 protected:
  ResponseCode send(CommandPort& port, ByteView bytes, Sender sender = Sender::client) {
    return response_code(port.transmit(
        Command(bytes), {.locality = Locality{3}, .canceled = canceled_, .sender = sender}));
  }

  void power_on() {
    must(storage_.take());
    must(engine_.power_on(StoredVolatile::keep).map([](PoweredOn) {}));
    power_.enter(Event::init);
  }

  std::atomic<bool> canceled_ = false;
  MemoryStore store_;
  FakeEngine engine_{store_, TpmVersion::tpm20};
  FakeBackoff backoff_;
  RecordingListener listener_;
  PowerState power_{listener_};
  StorageCustody storage_{engine_, store_, listener_};
  AcceptedCommands accepted_{engine_, backoff_};
  ScriptedPort end_;
};

// -- retry --

class RetryLinkTest : public Chain {
 protected:
  RetryLink retry_{end_, engine_, backoff_};
};

TEST_F(RetryLinkTest, Success_IsSentOnceWithItsTicket) {
  EXPECT_EQ(send(retry_, get_random(8)), rc::success);
  EXPECT_THAT(end_.commands, ElementsAre(cc::get_random));
  EXPECT_THAT(end_.localities, ElementsAre(Locality{3}));
}

TEST_F(RetryLinkTest, RetryTwice_IsSentThreeTimesAndWaitsNoMore) {
  end_.answers = {rc::retry, rc::retry};

  EXPECT_EQ(send(retry_, get_random(8)), rc::success);
  EXPECT_THAT(end_.commands, SizeIs(3));
  EXPECT_FALSE(retry_.waits());
}

TEST_F(RetryLinkTest, Wait_IsSeenFromOutside) {
  bool seen = false;
  backoff_.during_wait = [&] { seen = retry_.waits(); };
  end_.answers = {rc::retry};

  send(retry_, get_random(8));

  EXPECT_TRUE(seen);
}

TEST_F(RetryLinkTest, CancelDuringTheWait_EndsIt) {
  backoff_.during_wait = [&] { canceled_ = true; };
  end_.answers = {rc::retry, rc::retry};

  EXPECT_EQ(send(retry_, get_random(8)), rc::canceled);
  EXPECT_THAT(end_.commands, SizeIs(1));
}

// -- power gate --

class PowerGateTest : public Chain {
 protected:
  PowerGate gate_{end_, engine_, power_, accepted_};
};

TEST_F(PowerGateTest, TpmThatIsOn_GetsTheCommand) {
  power_on();

  EXPECT_EQ(send(gate_, get_random(8)), rc::success);
  EXPECT_THAT(end_.commands, ElementsAre(cc::get_random));
}

TEST_F(PowerGateTest, CanceledCommand_IsAnsweredHere) {
  power_on();
  canceled_ = true;

  EXPECT_EQ(send(gate_, get_random(8)), rc::canceled);
  EXPECT_THAT(end_.commands, IsEmpty());
}

TEST_F(PowerGateTest, EndedTpm_AnswersWithFailureButItsOwnCommandsPass) {
  power_on();
  accepted_.close();

  EXPECT_EQ(send(gate_, get_random(8)), rc::failure);
  EXPECT_EQ(send(gate_, shutdown_command(ShutdownType::state), Sender::power_cycle), rc::success);
  EXPECT_THAT(end_.commands, ElementsAre(cc::shutdown));
}

TEST_F(PowerGateTest, TpmThatWaitsForStorage_AnswersWithRetry) {
  power_.enter(Event::wait, "no state");

  EXPECT_EQ(send(gate_, get_random(8)), rc::retry);
}

TEST_F(PowerGateTest, ReleasedStorage_AnswersWithRetryUntilItIsBack) {
  power_on();
  power_.enter(Event::release);

  EXPECT_EQ(send(gate_, get_random(8)), rc::retry);
  power_.enter(Event::reclaim);
  EXPECT_EQ(send(gate_, get_random(8)), rc::success);
}

TEST_F(PowerGateTest, QueryOfTheSizeBeforeStartup_IsAnsweredHere) {
  power_on();

  EXPECT_EQ(send(gate_, buffer_size_query()), rc::success);
  EXPECT_THAT(end_.commands, IsEmpty());
}

TEST_F(PowerGateTest, QueryOfTheSizeBehindStartup_IsTheTpms) {
  power_on();
  power_.enter(Event::startup);

  send(gate_, buffer_size_query());

  EXPECT_THAT(end_.commands, ElementsAre(cc::get_capability));
}

// -- runner --

class CommandRunnerTest : public Chain {
 protected:
  CommandRunner runner_{engine_, power_, storage_, listener_};
};

TEST_F(CommandRunnerTest, EngineThatIsOff_IsAFailureResponse) {
  EXPECT_EQ(send(runner_, get_random(8)), rc::failure);
  EXPECT_EQ(runner_.commands(), 0u);
}

TEST_F(CommandRunnerTest, Startup_StartsAndCounts) {
  power_on();

  EXPECT_EQ(send(runner_, tpm2_startup()), rc::success);
  EXPECT_EQ(power_.state(), TpmState::started);
  EXPECT_EQ(runner_.commands(), 1u);
  EXPECT_EQ(engine_.last_locality, Locality{3});
}

TEST_F(CommandRunnerTest, Shutdown_IsTheLastCommandUntilAnother) {
  power_on();
  send(runner_, tpm2_startup());

  send(runner_, shutdown_command(ShutdownType::state));
  EXPECT_TRUE(runner_.last_was_shutdown());
  send(runner_, get_random(8));
  EXPECT_FALSE(runner_.last_was_shutdown());
}

TEST_F(CommandRunnerTest, ChangeThatCannotBeStored_IsToldAndAnsweredWithNvUnavailable) {
  power_on();
  send(runner_, tpm2_startup());
  store_.fail_stores = true;

  EXPECT_EQ(send(runner_, tpm2_command(FakeEngine::kRemember, hex("01020304"))),
            rc::nv_unavailable);
  EXPECT_THAT(listener_.not_stored,
              ElementsAre(FieldsAre(FakeEngine::kRemember, Change::undone, "store told to fail")));
}

TEST_F(CommandRunnerTest, FailureMode_LeadsToFailed) {
  power_on();
  send(runner_, tpm2_startup());

  send(runner_, tpm2_command(FakeEngine::kBreak));

  EXPECT_EQ(power_.state(), TpmState::failed);
}

// -- a link of somebody else's --

class CountingLink final : public CommandPort {
 public:
  explicit CountingLink(CommandPort& next) : next_(next) {}
  Bytes transmit(const Command& command, const Ticket& ticket) override {
    ++count;
    return next_.transmit(command, ticket);
  }
  int count = 0;

 private:
  CommandPort& next_;
};

TEST_F(Chain, LinkBetweenRetryAndRunner_SeesEveryAttempt) {
  power_on();
  CommandRunner runner(engine_, power_, storage_, listener_);
  CountingLink attempts(runner);
  RetryLink retry(attempts, engine_, backoff_);
  CountingLink commands(retry);
  PowerGate gate(commands, engine_, power_, accepted_);
  send(gate, tpm2_startup());
  engine_.answers = {rc::retry, rc::retry};

  EXPECT_EQ(send(gate, get_random(8)), rc::success);

  EXPECT_EQ(commands.count, 2);
  EXPECT_EQ(attempts.count, 4);
}

// -- listeners --

TEST(TpmEvents, EveryListener_HearsEveryEvent) {
  TpmEvents events;
  RecordingListener first;
  RecordingListener second;
  events.add(first);
  events.add(second);

  events.on_state_change(TpmState::on, Event::init, "");
  events.on_not_stored(cc::clear, Change::kept, "full");
  events.on_unstored(Unstored::kept, "full");

  EXPECT_THAT(first.states, SizeIs(1));
  EXPECT_THAT(first.not_stored, ElementsAre(FieldsAre(cc::clear, Change::kept, "full")));
  EXPECT_EQ(second.states, first.states);
  EXPECT_EQ(second.not_stored, first.not_stored);
  EXPECT_EQ(second.unstored, first.unstored);
}

}  // namespace
}  // namespace vtpm
