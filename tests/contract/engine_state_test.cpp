// What engine/tpm/engine.h promises about state, held against every engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/engine_fixture.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

using StateContract = EngineContract;

INSTANTIATE_TEST_SUITE_P(Engines, StateContract, testing::ValuesIn(engine_kinds()),
                         [](const auto& test) { return test.param.name; });

TEST_P(StateContract, WhatWasNeverRemembered_IsNotThere) {
  power_on_and_start();

  EXPECT_NE(send(kind().recall(1)), rc::success);
}

TEST_P(StateContract, State_SurvivesAPowerCycle) {
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(1)), rc::success);

  engine_->power_off();
  power_on_and_start();

  EXPECT_EQ(send(kind().recall(1)), rc::success);
  EXPECT_NE(send(kind().recall(2)), rc::success);
}

TEST_P(StateContract, State_SurvivesInTheStoreAlone) {
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(1)), rc::success);

  make();
  power_on_and_start();

  EXPECT_EQ(send(kind().recall(1)), rc::success);
}

TEST_P(StateContract, ChangedState_IsInTheStoreBeforeTheAnswer) {
  power_on_and_start();
  Bytes before = *store_.find(blob(BlobKind::permanent));
  int stores = store_.stores;

  ASSERT_EQ(send(kind().remember(1)), rc::success);

  EXPECT_GT(store_.stores, stores);
  EXPECT_NE(*store_.find(blob(BlobKind::permanent)), before);
}

TEST_P(StateContract, CommandThatChangesNothing_StoresNothing) {
  power_on_and_start();
  int stores = store_.stores;

  ASSERT_EQ(send(kind().get_random), rc::success);

  EXPECT_EQ(store_.stores, stores);
}

TEST_P(StateContract, FailedLoad_IsTheReasonAndNothingIsMadeAnew) {
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(1)), rc::success);
  engine_->power_off();
  int stores = store_.stores;
  store_.fail_loads = true;

  auto powered = power_on();

  ASSERT_FALSE(powered.has_value());
  EXPECT_EQ(powered.error().code, Errc::io);
  EXPECT_THAT(powered.error().message, HasSubstr("load told to fail"));
  EXPECT_EQ(store_.stores, stores);
  EXPECT_EQ(engine_->execute(startup(), Locality{}).error().code, Errc::wrong_phase);
}

TEST_P(StateContract, FailedLoadThenMendedStore_PowersOnWithTheOldState) {
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(1)), rc::success);
  engine_->power_off();
  store_.fail_loads = true;
  ASSERT_FALSE(power_on().has_value());
  store_.fail_loads = false;

  power_on_and_start();

  EXPECT_EQ(send(kind().recall(1)), rc::success);
}

TEST_P(StateContract, NewTpmThatCannotBeStored_IsNoPowerOn) {
  store_.fail_stores = true;

  auto powered = power_on();

  ASSERT_FALSE(powered.has_value());
  EXPECT_THAT(powered.error().message, HasSubstr("store told to fail"));
}

TEST_P(StateContract, FailedCommit_IsAnErrorAndTheCommandIsUndone) {
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(1)), rc::success);
  store_.fail_stores = true;

  auto response = engine_->execute(kind().remember(2), Locality{});

  ASSERT_FALSE(response.has_value());
  EXPECT_THAT(response.error().message, HasSubstr("store told to fail"));
  EXPECT_FALSE(engine_->in_failure_mode());
  EXPECT_EQ(send(kind().recall(1)), rc::success);
  EXPECT_NE(send(kind().recall(2)), rc::success);
}

TEST_P(StateContract, FailedCommitThenMendedStore_TheSameCommandWorks) {
  power_on_and_start();
  store_.fail_stores = true;
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(engine_->execute(kind().remember(1), Locality{}).has_value());
  }
  store_.fail_stores = false;

  EXPECT_EQ(send(kind().remember(1)), rc::success);

  make();
  power_on_and_start();
  EXPECT_EQ(send(kind().recall(1)), rc::success);
}

TEST_P(StateContract, FailedCommitThenPowerCycleWithAMendedStore_HasTheOldState) {
  power_on_and_start();
  ASSERT_EQ(send(kind().remember(1)), rc::success);
  store_.fail_stores = true;
  ASSERT_FALSE(engine_->execute(kind().remember(2), Locality{}).has_value());
  store_.fail_stores = false;

  engine_->power_off();
  power_on_and_start();

  EXPECT_FALSE(engine_->in_failure_mode());
  EXPECT_EQ(send(kind().recall(1)), rc::success);
  EXPECT_NE(send(kind().recall(2)), rc::success);
}

// -- volatile state --

class VolatileContract : public EngineContract {
 protected:
  void SetUp() override {
    EngineContract::SetUp();
    power_on_and_start();
    Bytes taken = kind().take_volatile();
    engine_->power_off();
    store_.put(blob(BlobKind::volatile_state), taken);
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, VolatileContract, testing::ValuesIn(engine_kinds()),
                         [](const auto& test) { return test.param.name; });

TEST_P(VolatileContract, StoredVolatile_IsResumedStarted) {
  EXPECT_EQ(power_on().value(), PoweredOn::resumed);

  EXPECT_EQ(send(kind().get_random), rc::success);
}

TEST_P(VolatileContract, Kept_IsResumedAtEveryPowerOn) {
  ASSERT_EQ(power_on(StoredVolatile::keep).value(), PoweredOn::resumed);
  engine_->power_off();

  EXPECT_EQ(power_on(StoredVolatile::keep).value(), PoweredOn::resumed);
}

TEST_P(VolatileContract, Discarded_IsResumedOnce) {
  ASSERT_EQ(power_on(StoredVolatile::discard).value(), PoweredOn::resumed);
  EXPECT_EQ(store_.find(blob(BlobKind::volatile_state)), nullptr);
  engine_->power_off();

  EXPECT_EQ(power_on().value(), PoweredOn::reset);
}

}  // namespace
}  // namespace vtpm
