// The rule "shutdown before re-init" (docs/lifecycle.md), line by line.
#include <gmock/gmock.h>

#include "tests/support/must.h"
#include "tests/unit/virtual_tpm_fixture.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr ResponseCode kRefused{0x90};

class ShutdownRule : public testing::Test {
 protected:
  explicit ShutdownRule(TpmVersion version = TpmVersion::tpm20, VirtualTpmOptions options = {})
      : engine_(store_, version), tpm_(engine_, store_, backoff_, options) {}

  // A TPM that firmware started and an operating system used; what follows is recorded.
  void use() {
    ASSERT_TRUE(tpm_.power_on().has_value());
    ASSERT_TRUE(tpm_.startup(StartupType::clear).has_value());
    tpm_.execute(get_random(8));
    engine_.commands.clear();
  }

  MemoryStore store_;
  FakeEngine engine_;
  FakeBackoff backoff_;
  VirtualTpm tpm_;
  const Bytes state_ = shutdown_command(ShutdownType::state);
  const Bytes clear_ = shutdown_command(ShutdownType::clear);
};

TEST_F(ShutdownRule, PowerOffOfAStartedTpm_SendsStateFirst) {
  use();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, PowerOnWhileOn_SendsStateFirst) {
  use();

  ASSERT_TRUE(tpm_.power_on().has_value());

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, End_SendsStateFirst) {
  use();

  tpm_.end();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, StateRefused_SendsClear) {
  use();
  engine_.answers = {kRefused};

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_, clear_));
}

TEST_F(ShutdownRule, BothRefused_PowerIsTakenAllTheSame) {
  use();
  engine_.answers = {kRefused, kRefused};

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_, clear_));
  EXPECT_EQ(tpm_.phase(), Phase::off);
}

TEST_F(ShutdownRule, TpmThatAsksToRetry_IsSentStateAgain) {
  use();
  engine_.answers = {rc::retry};

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_, state_));
}

TEST_F(ShutdownRule, LastCommandWasASuccessfulShutdown_SendsNothing) {
  use();
  tpm_.execute(clear_);
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, IsEmpty());
}

TEST_F(ShutdownRule, LastCommandWasAFailedShutdown_SendsState) {
  use();
  engine_.answers = {kRefused};
  tpm_.execute(clear_);
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, CommandAfterASuccessfulShutdown_SendsState) {
  use();
  tpm_.execute(state_);
  tpm_.execute(get_random(8));
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, RefusedCommandAfterASuccessfulShutdown_SendsState) {
  use();
  tpm_.execute(state_);
  tpm_.execute(tpm2_command(CommandCode{0x1ff}));
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, NeverStarted_SendsNothing) {
  ASSERT_TRUE(tpm_.power_on().has_value());
  tpm_.execute(get_random(8));
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, IsEmpty());
}

TEST_F(ShutdownRule, StartupRefused_SendsNothing) {
  ASSERT_TRUE(tpm_.power_on().has_value());
  engine_.answers = {kRefused};
  ASSERT_FALSE(tpm_.startup(StartupType::state).has_value());
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, IsEmpty());
}

TEST_F(ShutdownRule, StartedByAClientsStartup_SendsState) {
  ASSERT_TRUE(tpm_.power_on().has_value());
  tpm_.execute(tpm2_startup());
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, ResumedFromAVolatileBlob_CountsAsStarted) {
  store_.put({TpmVersion::tpm20, BlobKind::volatile_state}, as_bytes("v"));
  ASSERT_TRUE(tpm_.power_on().has_value());

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, ResumedFromAVolatileBlobBeforeStartup_SendsNothing) {
  store_.put({TpmVersion::tpm20, BlobKind::volatile_state}, hex("fe"));
  ASSERT_TRUE(tpm_.power_on().has_value());

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, IsEmpty());
}

TEST_F(ShutdownRule, AfterAPowerCycle_StartedIsForgotten) {
  use();
  ASSERT_TRUE(tpm_.power_on().has_value());
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, IsEmpty());
}

TEST_F(ShutdownRule, AfterAPowerCycle_TheOldShutdownIsForgotten) {
  use();
  tpm_.execute(state_);
  ASSERT_TRUE(tpm_.power_on().has_value());
  ASSERT_TRUE(tpm_.startup(StartupType::state).has_value());
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, ElementsAre(state_));
}

TEST_F(ShutdownRule, InFailureMode_SendsNothing) {
  use();
  tpm_.execute(tpm2_command(FakeEngine::kBreak));
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, IsEmpty());
}

TEST_F(ShutdownRule, Sent_GoesInTheLocalityThatIsSet) {
  use();
  tpm_.set_locality(Locality{2});

  tpm_.power_off();

  EXPECT_EQ(engine_.last_locality, Locality{2});
}

class ShutdownRuleOff : public ShutdownRule {
 protected:
  ShutdownRuleOff() : ShutdownRule(TpmVersion::tpm20, {.auto_shutdown = false}) {}
};

TEST_F(ShutdownRuleOff, PowerOff_SendsNothing) {
  use();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, IsEmpty());
}

class ShutdownRule12 : public ShutdownRule {
 protected:
  ShutdownRule12() : ShutdownRule(TpmVersion::tpm12) {}
};

TEST_F(ShutdownRule12, PowerOff_SendsNothing) {
  use();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, IsEmpty());
}

}  // namespace
}  // namespace vtpm
