// Nothing is written without the store's lock (docs/decisions/0006), and state by the power cycle's
// rules.
#include <gmock/gmock.h>

#include "tests/support/must.h"
#include "tests/unit/virtual_tpm_fixture.h"

namespace vtpm {
namespace {

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};

class Storage : public VirtualTpmTest {
 protected:
  explicit Storage(TpmVersion version = TpmVersion::tpm20) : VirtualTpmTest(version) {}
};

TEST_F(Storage, Made_IsNotLocked) {
  EXPECT_FALSE(tpm_.storage_locked());
  EXPECT_EQ(tpm_.storage(), "memory");
}

TEST_F(Storage, PowerOn_TakesTheLock) {
  power_on();

  EXPECT_TRUE(tpm_.storage_locked());
  EXPECT_TRUE(store_.locked);
}

TEST_F(Storage, PowerOnWhileAnotherHasTheLock_IsFailedAndLoadsNothing) {
  store_.held_by_another = true;

  EXPECT_EQ(tpm_.power_on().error().code, Errc::busy);

  EXPECT_EQ(tpm_.phase(), Phase::failed);
  EXPECT_EQ(engine_.power_ons, 0);
  EXPECT_EQ(store_.loads, 0);
}

TEST_F(Storage, LockWhileOff_ChangesNoPhase) {
  must(tpm_.lock_storage());
  must(tpm_.lock_storage());

  EXPECT_EQ(tpm_.phase(), Phase::off);
  EXPECT_EQ(store_.lock_attempts, 1);
}

TEST_F(Storage, ReleaseWithoutTheLock_IsNoError) {
  must(tpm_.release_storage());

  EXPECT_FALSE(tpm_.storage_locked());
}

TEST_F(Storage, PowerOff_KeepsTheLock) {
  power_on();

  tpm_.power_off();

  EXPECT_TRUE(store_.locked);
}

TEST_F(Storage, LockWhileAnotherHasIt_IsBusyAndStaysReleased) {
  power_on_and_start();
  must(tpm_.release_storage());
  store_.held_by_another = true;

  EXPECT_EQ(tpm_.lock_storage().error().code, Errc::busy);

  EXPECT_EQ(tpm_.phase(), Phase::on);
  EXPECT_FALSE(tpm_.storage_locked());
}

TEST_F(Storage, PowerOffWhileReleased_SendsNoShutdown) {
  power_on_and_start();
  must(tpm_.release_storage());
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_THAT(engine_.commands_at_power_off, testing::IsEmpty());
}

TEST_F(Storage, QueryOfTheBufferSizeBeforeStartupWhileReleased_IsToldToRetry) {
  power_on();
  must(tpm_.release_storage());

  EXPECT_EQ(execute(buffer_size_query()), rc::retry);
}

// Not even when it could not be read before: nothing can be said of it then.
TEST_F(Storage, StateThatCannotBeReadAfterARelease_IsAFault) {
  power_on();
  store_.fail_loads = true;
  must(tpm_.release_storage());

  EXPECT_FALSE(tpm_.lock_storage().has_value());

  EXPECT_EQ(tpm_.phase(), Phase::failed);
  EXPECT_EQ(tpm_.failure_reason(), "load told to fail");
}

TEST_F(Storage, StateThatVanishedWhileReleased_IsAFault) {
  power_on_and_start();
  must(tpm_.release_storage());
  store_.blobs.clear();

  EXPECT_EQ(tpm_.lock_storage().error().code, Errc::corrupt);

  EXPECT_EQ(tpm_.phase(), Phase::failed);
  EXPECT_THAT(store_.blobs, testing::IsEmpty());
}

TEST_F(Storage, StateOfAnotherMakerAfterStop_IsNoFault) {
  power_on_and_start();
  must(tpm_.release_storage());
  tpm_.power_off();
  store_.put(kPermanent, hex("0a0b0c0d"));

  must(tpm_.lock_storage());

  EXPECT_EQ(tpm_.phase(), Phase::off);
}

class Storage12 : public Storage {
 protected:
  Storage12() : Storage(TpmVersion::tpm12) {}
};

TEST_F(Storage12, CommandWhileReleased_IsToldToRetryInItsVersionsWay) {
  must(tpm_.power_on());
  must(tpm_.release_storage());

  EXPECT_EQ(tpm_.execute(get_random(8)), hex("00c4 0000000a 00000800"));
}

// -- commits that fail --

TEST_F(Storage, CommandThatCannotBeStored_IsUndoneToldAndLeavesTheTpmOn) {
  power_on_and_start();
  RecordingListener listener;
  tpm_.add_listener(listener);
  store_.fail_stores = true;

  auto response = tpm_.execute(tpm2_command(FakeEngine::kRemember, hex("01020304")));

  EXPECT_EQ(response, hex("8001 0000000a 00000923"));
  EXPECT_THAT(listener.not_stored,
              testing::ElementsAre(
                  testing::FieldsAre(FakeEngine::kRemember, Change::undone, "store told to fail")));
  EXPECT_EQ(tpm_.phase(), Phase::on);
  EXPECT_EQ(execute(get_random(8)), rc::success);
}

TEST_F(Storage, UndoneCommandBehindAShutdown_LeavesTheShutdownTheLastOne) {
  power_on_and_start();
  tpm_.execute(shutdown_command(ShutdownType::state));
  store_.fail_stores = true;
  tpm_.execute(tpm2_command(FakeEngine::kRemember, hex("01020304")));
  engine_.commands.clear();

  tpm_.power_off();

  EXPECT_TRUE(engine_.commands_at_power_off.empty());
}

// -- what is kept for later --

class Kept : public VirtualTpmTest {
 protected:
  void SetUp() override {
    power_on_and_start();
    tpm_.add_listener(listener_);
    store_.fail_stores = true;
    ASSERT_EQ(guess(), FakeEngine::kWrong);
  }
  ResponseCode guess() { return execute(tpm2_command(FakeEngine::kGuess)); }
  uint8_t stored_count() { return std::to_integer<uint8_t>(store_.find(kPermanent)->back()); }

  RecordingListener listener_;
  const std::vector<std::pair<Unstored, std::string>>& told_ = listener_.unstored;
  const std::pair<Unstored, std::string> kept_{Unstored::kept, "store told to fail"};
  const std::pair<Unstored, std::string> stored_{Unstored::stored, ""};
  const std::pair<Unstored, std::string> lost_{Unstored::lost, "store told to fail"};
};

TEST_F(Kept, FailedAuthorisation_IsToldOnceAndTheTpmGoesOn) {
  guess();

  EXPECT_TRUE(tpm_.has_unstored());
  EXPECT_THAT(told_, testing::ElementsAre(kept_));
  EXPECT_EQ(execute(get_random(8)), rc::success);
}

TEST_F(Kept, NextCommandWithAMendedStore_StoresIt) {
  store_.fail_stores = false;

  execute(get_random(8));

  EXPECT_FALSE(tpm_.has_unstored());
  EXPECT_EQ(stored_count(), 1);
  EXPECT_THAT(told_, testing::ElementsAre(kept_, stored_));
}

TEST_F(Kept, StoreUnstored_SaysWhetherMoreIsLeft) {
  EXPECT_FALSE(tpm_.store_unstored());
  store_.fail_stores = false;

  EXPECT_TRUE(tpm_.store_unstored());

  EXPECT_EQ(stored_count(), 1);
}

TEST_F(Kept, PowerOff_IsNoReasonToForgetIt) {
  tpm_.power_off();
  store_.fail_stores = false;

  EXPECT_TRUE(tpm_.store_unstored());

  EXPECT_EQ(stored_count(), 1);
}

TEST_F(Kept, PowerOn_GoesOnFromIt) {
  power_on();
  store_.fail_stores = false;
  must(tpm_.startup(StartupType::clear));

  guess();

  EXPECT_EQ(stored_count(), 2);
}

TEST_F(Kept, End_StoresIt) {
  store_.fail_stores = false;

  tpm_.end();

  EXPECT_EQ(stored_count(), 1);
  EXPECT_TRUE(tpm_.store_unstored()) << "nothing more to do";
}

TEST_F(Kept, EndThatCannotStoreIt_SaysThatItIsLost) {
  tpm_.end();

  EXPECT_THAT(told_, testing::ElementsAre(kept_, lost_));
  EXPECT_TRUE(tpm_.store_unstored()) << "nothing more to do";
}

TEST_F(Kept, HandOver_IsRefusedAndTheLockKept) {
  EXPECT_EQ(tpm_.release_storage().error().code, Errc::io);

  EXPECT_TRUE(store_.locked);
  EXPECT_TRUE(tpm_.storage_locked());
}

TEST_F(Kept, HandOverWithAMendedStore_StoresItFirst) {
  store_.fail_stores = false;

  must(tpm_.release_storage());

  EXPECT_EQ(stored_count(), 1);
  EXPECT_FALSE(store_.locked);
}

TEST_F(Kept, VolatileStateThatBelongsToIt_IsNotStoredAlone) {
  EXPECT_EQ(tpm_.store_volatile().error().code, Errc::io);

  EXPECT_EQ(store_.find({TpmVersion::tpm20, BlobKind::volatile_state}), nullptr);
}

TEST_F(Kept, StateOfTheMoment_HasIt) {
  EXPECT_EQ(tpm_.get_state(BlobKind::permanent).value(), hex("00000001"));
}

TEST_F(Kept, GivenState_TakesItsPlace) {
  tpm_.power_off();
  must(tpm_.set_state(BlobKind::permanent, hex("0a0b0c0d")));
  store_.fail_stores = false;

  power_on();

  EXPECT_FALSE(tpm_.has_unstored());
  EXPECT_EQ(*store_.find(kPermanent), hex("0a0b0c0d"));
}

TEST_F(Kept, GivenStateThatCannotBeStored_LeavesIt) {
  tpm_.power_off();
  must(tpm_.set_state(BlobKind::permanent, hex("0a0b0c0d")));
  ASSERT_FALSE(tpm_.power_on().has_value());
  store_.fail_stores = false;

  power_on();

  EXPECT_TRUE(tpm_.store_unstored());
  EXPECT_EQ(stored_count(), 1);
}

// -- phases of state requests --

TEST_F(Storage, GetStateWhileOff_IsWrongPhase) {
  EXPECT_EQ(tpm_.get_state(BlobKind::permanent).error().code, Errc::wrong_phase);
}

TEST_F(Storage, SetStateWhileOnOrEnded_IsWrongPhase) {
  power_on();
  EXPECT_EQ(tpm_.set_state(BlobKind::permanent, as_bytes("p")).error().code, Errc::wrong_phase);
  tpm_.end();
  EXPECT_EQ(tpm_.set_state(BlobKind::permanent, as_bytes("p")).error().code, Errc::wrong_phase);
}

TEST_F(Storage, SetStateInFailureMode_IsPossible) {
  power_on_and_start();
  break_tpm();

  EXPECT_TRUE(tpm_.set_state(BlobKind::permanent, as_bytes("p")).has_value());
}

TEST_F(Storage, SetVersionInFailureMode_IsPossible) {
  power_on_and_start();
  break_tpm();

  EXPECT_TRUE(tpm_.set_version(TpmVersion::tpm12).has_value());
  EXPECT_EQ(tpm_.version(), TpmVersion::tpm12);
}

TEST_F(Storage, SetVersionWhenEnded_IsWrongPhase) {
  tpm_.end();

  EXPECT_EQ(tpm_.set_version(TpmVersion::tpm12).error().code, Errc::wrong_phase);
}

TEST_F(Storage, StoreVolatileWhileReleased_IsBusy) {
  power_on_and_start();
  must(tpm_.release_storage());

  EXPECT_EQ(tpm_.store_volatile().error().code, Errc::busy);
}

TEST_F(Storage, CommandsExecuted_AreCounted) {
  power_on_and_start();
  execute(get_random(8));

  EXPECT_EQ(tpm_.commands(), 2u);
}

// -- Storage that is not there yet --

class LateStorage : public VirtualTpmTest {
 protected:
  LateStorage()
      : VirtualTpmTest(TpmVersion::tpm20, {.auto_shutdown = true, .wait_for_storage = true}) {
    store_.away = true;
  }
};

TEST_F(LateStorage, PowerOn_IsRefusedAndTheTpmWaits) {
  EXPECT_EQ(tpm_.power_on().error().code, Errc::not_found);

  EXPECT_TRUE(tpm_.waits_for_storage());
  EXPECT_EQ(tpm_.phase(), Phase::off);
  EXPECT_EQ(tpm_.failure_reason(), "the storage is away");
  EXPECT_FALSE(tpm_.storage_locked());
}

TEST_F(LateStorage, CommandsMeanwhile_AreToBeSentAgain) {
  ASSERT_FALSE(tpm_.power_on().has_value());

  EXPECT_EQ(execute(get_random(8)), rc::retry);
}

TEST_F(LateStorage, PowerOnOnceItIsThere_EndsTheWaiting) {
  ASSERT_FALSE(tpm_.power_on().has_value());
  store_.away = false;

  power_on();

  EXPECT_FALSE(tpm_.waits_for_storage());
  EXPECT_EQ(tpm_.phase(), Phase::on);
  EXPECT_EQ(tpm_.failure_reason(), "");
}

TEST_F(LateStorage, StorageInOtherHands_IsWaitedForToo) {
  store_.away = false;
  store_.held_by_another = true;

  EXPECT_FALSE(tpm_.power_on().has_value());

  EXPECT_TRUE(tpm_.waits_for_storage());
}

TEST_F(LateStorage, PowerOnIfWaiting_IsForATpmThatWaits) {
  EXPECT_FALSE(tpm_.power_on_if_waiting().value());
  ASSERT_FALSE(tpm_.power_on().has_value());
  EXPECT_FALSE(tpm_.power_on_if_waiting().has_value());
  store_.away = false;

  EXPECT_TRUE(tpm_.power_on_if_waiting().value());

  EXPECT_EQ(tpm_.phase(), Phase::on);
  EXPECT_FALSE(tpm_.power_on_if_waiting().value());
  EXPECT_EQ(engine_.power_ons, 1);
}

TEST_F(LateStorage, StateGivenWhileWaiting_IsRefused) {
  ASSERT_FALSE(tpm_.power_on().has_value());

  EXPECT_EQ(tpm_.set_state(BlobKind::permanent, hex("00000001")).error().code, Errc::wrong_phase);
}

// It would come over the state that appears later.
TEST_F(LateStorage, StateGivenForAPowerOnThatHadToWait_IsForgotten) {
  const BlobName kPermanentState{TpmVersion::tpm20, BlobKind::permanent};
  store_.put(kPermanentState, hex("00000002"));
  must(tpm_.set_state(BlobKind::permanent, hex("00000001")));
  ASSERT_FALSE(tpm_.power_on().has_value());
  store_.away = false;

  EXPECT_TRUE(tpm_.power_on_if_waiting().value());

  EXPECT_EQ(*store_.find(kPermanentState), hex("00000002"));
}

TEST_F(LateStorage, PowerOff_EndsTheWaiting) {
  ASSERT_FALSE(tpm_.power_on().has_value());

  tpm_.power_off();

  EXPECT_FALSE(tpm_.waits_for_storage());
  EXPECT_EQ(execute(get_random(8)), rc::failure);
}

TEST_F(LateStorage, StorageThatIsThereAndDamaged_IsFailed) {
  store_.away = false;
  store_.fail_loads = true;

  EXPECT_FALSE(tpm_.power_on().has_value());

  EXPECT_FALSE(tpm_.waits_for_storage());
  EXPECT_EQ(tpm_.phase(), Phase::failed);
}

TEST_F(LateStorage, WithoutTheOption_IsFailed) {
  VirtualTpm impatient(engine_, store_, backoff_);

  EXPECT_FALSE(impatient.power_on().has_value());

  EXPECT_EQ(impatient.phase(), Phase::failed);
}

}  // namespace
}  // namespace vtpm
