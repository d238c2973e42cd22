#include <gmock/gmock.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/support/must.h"
#include "tests/unit/virtual_tpm_fixture.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using PowerCycle = VirtualTpmTest;

TEST_F(PowerCycle, Made_IsOff) {
  EXPECT_EQ(tpm_.phase(), Phase::off);
  EXPECT_THAT(tpm_.failure_reason(), IsEmpty());
}

TEST_F(PowerCycle, CommandWhileOff_GetsTheFailureResponse) {
  EXPECT_EQ(tpm_.execute(get_random(8)), hex("8001 0000000a 00000101"));
  EXPECT_THAT(engine_.executed, IsEmpty());
}

TEST_F(PowerCycle, PoweredOn_IsOnAndNotStarted) {
  power_on();

  EXPECT_EQ(tpm_.phase(), Phase::on);
  EXPECT_EQ(execute(get_random(8)), rc::initialize);
}

TEST_F(PowerCycle, Started_AnswersCommands) {
  power_on_and_start();

  EXPECT_EQ(tpm_.execute(get_random(4)), hex("8001 00000010 00000000 0004 01020304"));
}

TEST_F(PowerCycle, StartupTwice_SaysTheTpmsCode) {
  power_on_and_start();

  auto again = tpm_.startup(StartupType::clear);

  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Errc::tpm);
  EXPECT_THAT(again.error().message, HasSubstr("0x100"));
}

TEST_F(PowerCycle, StartupWhileOff_IsRefused) {
  EXPECT_EQ(tpm_.startup(StartupType::clear).error().code, Errc::wrong_phase);
}

TEST_F(PowerCycle, PoweredOff_IsOff) {
  power_on_and_start();

  tpm_.power_off();

  EXPECT_EQ(tpm_.phase(), Phase::off);
  EXPECT_EQ(execute(get_random(8)), rc::failure);
}

TEST_F(PowerCycle, PowerOffWhileOff_IsNoError) {
  tpm_.power_off();

  EXPECT_EQ(tpm_.phase(), Phase::off);
}

TEST_F(PowerCycle, PowerOnWhileOn_IsAPowerCycle) {
  power_on_and_start();

  power_on();

  EXPECT_EQ(engine_.power_ons, 2);
  EXPECT_EQ(tpm_.phase(), Phase::on);
  EXPECT_EQ(execute(get_random(8)), rc::initialize) << "started before, not started now";
}

TEST_F(PowerCycle, FailedPowerOn_IsFailedWithTheStoresReason) {
  store_.fail_loads = true;

  auto powered = tpm_.power_on();

  ASSERT_FALSE(powered.has_value());
  EXPECT_THAT(powered.error().message, HasSubstr("load told to fail"));
  EXPECT_EQ(tpm_.phase(), Phase::failed);
  EXPECT_THAT(tpm_.failure_reason(), HasSubstr("load told to fail"));
  EXPECT_EQ(execute(get_random(8)), rc::failure);
}

TEST_F(PowerCycle, FailedPowerOnWhileOn_LeavesNoOldTpmBehind) {
  power_on_and_start();

  break_store();

  EXPECT_EQ(tpm_.phase(), Phase::failed);
  EXPECT_EQ(execute(get_random(8)), rc::failure);
}

TEST_F(PowerCycle, PowerOnWithAMendedStore_EndsTheFailure) {
  break_store();
  store_.fail_loads = false;

  power_on_and_start();

  EXPECT_EQ(tpm_.phase(), Phase::on);
  EXPECT_THAT(tpm_.failure_reason(), IsEmpty());
  EXPECT_EQ(execute(get_random(8)), rc::success);
}

TEST_F(PowerCycle, PowerOffAfterAFailure_IsOff) {
  break_store();

  tpm_.power_off();

  EXPECT_EQ(tpm_.phase(), Phase::off);
  EXPECT_THAT(tpm_.failure_reason(), IsEmpty());
}

TEST_F(PowerCycle, EngineInFailureMode_IsAFaultWithItsReason) {
  power_on_and_start();

  break_tpm();

  EXPECT_EQ(tpm_.phase(), Phase::failed);
  EXPECT_THAT(tpm_.failure_reason(), HasSubstr("failure mode"));
}

TEST_F(PowerCycle, InFailureMode_TheTpmItselfGoesOnAnswering) {
  power_on_and_start();
  break_tpm();

  EXPECT_EQ(execute(get_random(8)), rc::failure);
  EXPECT_EQ(engine_.executed.back(), cc::get_random);
}

TEST_F(PowerCycle, Ended_RefusesAll) {
  power_on_and_start();
  tpm_.end();
  engine_.executed.clear();

  EXPECT_EQ(tpm_.power_on().error().code, Errc::wrong_phase);
  EXPECT_EQ(tpm_.startup(StartupType::clear).error().code, Errc::wrong_phase);
  EXPECT_EQ(tpm_.buffer_size(3000).error().code, Errc::wrong_phase);
  EXPECT_EQ(execute(get_random(8)), rc::failure);
  EXPECT_EQ(tpm_.phase(), Phase::gone);
  EXPECT_EQ(engine_.power_ons, 1);
  EXPECT_THAT(engine_.executed, IsEmpty());
}

TEST_F(PowerCycle, EndedTwiceOrPoweredOffAfterwards_IsNoError) {
  tpm_.end();
  tpm_.end();
  tpm_.power_off();

  EXPECT_EQ(tpm_.phase(), Phase::gone);
}

TEST_F(PowerCycle, StoredVolatileToBeDiscarded_IsGoneAfterPowerOn) {
  store_.put({TpmVersion::tpm20, BlobKind::volatile_state}, as_bytes("v"));

  ASSERT_TRUE(tpm_.power_on(StoredVolatile::discard).has_value());

  EXPECT_EQ(store_.find({TpmVersion::tpm20, BlobKind::volatile_state}), nullptr);
  EXPECT_EQ(execute(get_random(8)), rc::success) << "resumed all the same";
}

TEST_F(PowerCycle, Locality_SetAfterACommandWasAccepted_IsForTheNext) {
  power_on_and_start();
  tpm_.set_locality(Locality{2});
  auto pending = tpm_.accept();
  tpm_.set_locality(Locality{0});

  tpm_.execute(pending, get_random(8));

  EXPECT_EQ(engine_.last_locality, Locality{2});
}

TEST_F(PowerCycle, Locality_GoesWithEachCommand) {
  power_on_and_start();
  tpm_.set_locality(Locality{3});

  execute(get_random(8));
  execute(get_random(8));

  EXPECT_EQ(engine_.last_locality, Locality{3});
  EXPECT_EQ(tpm_.locality(), Locality{3});
}

TEST_F(PowerCycle, Locality_BehindPowerOn_IsZero) {
  tpm_.set_locality(Locality{3});
  ASSERT_TRUE(tpm_.power_on().has_value());
  EXPECT_EQ(tpm_.locality(), Locality{0});
  tpm_.set_locality(Locality{2});

  power_on_and_start();

  EXPECT_EQ(engine_.last_locality, Locality{0}) << "of Startup";
  EXPECT_EQ(tpm_.locality(), Locality{0});
}

TEST_F(PowerCycle, Locality_BehindAPowerOnThatFails_IsZero) {
  power_on_and_start();
  tpm_.set_locality(Locality{2});
  engine_.fail_power_on = true;

  ASSERT_FALSE(tpm_.power_on().has_value());

  EXPECT_EQ(tpm_.locality(), Locality{0});
}

TEST_F(PowerCycle, Locality_OfACommandThatWaitsOverAPowerOn_IsZero) {
  power_on_and_start();
  tpm_.set_locality(Locality{2});
  auto pending = tpm_.accept();
  power_on_and_start();

  tpm_.execute(pending, get_random(8));

  EXPECT_EQ(engine_.last_locality, Locality{0});
}

TEST_F(PowerCycle, BufferSizeWhileOff_IsChangedAndClamped) {
  EXPECT_EQ(tpm_.buffer_size(3000).value().size, 3000u);
  EXPECT_EQ(tpm_.buffer_size(1).value().size, 1024u);
  EXPECT_EQ(tpm_.buffer_size(0).value().size, 1024u) << "0 asks only";
}

TEST_F(PowerCycle, BufferSizeWhileOn_CanBeAskedForAndNotChanged) {
  power_on();

  EXPECT_EQ(tpm_.buffer_size(3000).error().code, Errc::wrong_phase);
  EXPECT_EQ(tpm_.buffer_size(0).value().size, 4096u);
}

TEST_F(PowerCycle, EveryStateChange_IsToldWithEventAndReason) {
  RecordingListener listener;
  tpm_.add_listener(listener);

  power_on_and_start();
  break_tpm();
  tpm_.power_off();
  tpm_.end();
  tpm_.end();

  EXPECT_THAT(listener.states, ElementsAre(std::tuple(TpmState::on, Event::init, ""),
                                           std::tuple(TpmState::started, Event::startup, ""),
                                           std::tuple(TpmState::failed, Event::fault,
                                                      "the TPM entered failure mode"),
                                           std::tuple(TpmState::off, Event::stop, ""),
                                           std::tuple(TpmState::gone, Event::shutdown, "")));
}

class Tpm12PowerCycle : public VirtualTpmTest {
 protected:
  Tpm12PowerCycle() : VirtualTpmTest(TpmVersion::tpm12) {}
};

TEST_F(Tpm12PowerCycle, CommandWhileOff_GetsTheFailureResponseOf12) {
  EXPECT_EQ(tpm_.execute(hex("00c1 0000000e 00000046 00000008")), hex("00c4 0000000a 00000009"));
}

TEST_F(PowerCycle, BufferSizeAskedBeforeStartup_IsTold) {
  power_on();

  EXPECT_EQ(tpm_.execute(buffer_size_query()), buffer_size_response(4096));
  EXPECT_TRUE(engine_.executed.empty());
}

TEST_F(PowerCycle, BufferSizeAskedAfterStartup_IsForTheTpmToTell) {
  power_on_and_start();

  tpm_.execute(buffer_size_query());

  EXPECT_EQ(engine_.executed.back(), cc::get_capability);
}

TEST_F(PowerCycle, BufferSizeAskedWhileOff_IsAFailure) {
  EXPECT_EQ(tpm_.execute(buffer_size_query()), failure_response(TpmVersion::tpm20));
}

}  // namespace
}  // namespace vtpm
