// The storage lock over the control surface: taking it with patience, letting it go for a
// hand-over, and that nothing is written in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/control_state_fixture.h"

namespace vtpm {
namespace {

using std::chrono::milliseconds;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};

class LockTest : public StateBlobTest {
 protected:
  using StateBlobTest::StateBlobTest;

  Answers lock(uint32_t retries) {
    vtpm_lock_storage request{};
    request.req.retries = retries;
    return begin(VTPM_LOCK_STORAGE, view_of(request));
  }
  void let_pass(int pauses) {
    for (int i = 0; i < pauses; ++i) {
      clock_.advance(milliseconds(10));
    }
  }
};

TEST_F(LockTest, FreeLock_IsTakenAtOnce) {
  EXPECT_EQ(result_in(lock(0)->at(0)), VTPM_RESULT_SUCCESS);

  EXPECT_TRUE(store_.locked);
  EXPECT_TRUE(tpm_.storage_locked());
}

TEST_F(LockTest, HeldLock_IsFailWithoutRetries) {
  store_.held_by_another = true;

  EXPECT_EQ(result_in(lock(0)->at(0)), VTPM_RESULT_FAIL);
  EXPECT_FALSE(tpm_.storage_locked());
}

TEST_F(LockTest, LockThatBecomesFree_IsTakenAtTheNextAttempt) {
  store_.held_by_another = true;
  auto answers = lock(5);
  EXPECT_TRUE(answers->empty());
  store_.held_by_another = false;

  let_pass(1);

  EXPECT_EQ(result_in(answers->at(0)), VTPM_RESULT_SUCCESS);
  EXPECT_TRUE(store_.locked);
}

TEST_F(LockTest, LockThatStaysHeld_IsGivenUpAfterTheRetries) {
  store_.held_by_another = true;
  auto answers = lock(3);

  let_pass(2);
  EXPECT_TRUE(answers->empty());
  let_pass(1);

  EXPECT_EQ(result_in(answers->at(0)), VTPM_RESULT_FAIL);
  EXPECT_EQ(store_.lock_attempts, 1 + 3);
  EXPECT_EQ(clock_.alarms(), 0u);
}

// B12
TEST_F(LockTest, AnyNumberOfRetries_IsAMinuteAtMost) {
  store_.held_by_another = true;
  auto answers = lock(0xffffffff);

  let_pass(5999);
  EXPECT_TRUE(answers->empty());
  let_pass(1);

  EXPECT_EQ(result_in(answers->at(0)), VTPM_RESULT_FAIL);
}

TEST_F(LockTest, WhileItIsWaitedFor_OtherRequestsAndCommandsAreAnswered) {
  init_and_start();
  ASSERT_TRUE(tpm_.release_storage().has_value());
  store_.held_by_another = true;
  auto answers = lock(100);

  EXPECT_EQ(result_in(ask(VTPM_GET_STATUS)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(execute(get_random(4)), rc::retry);
  EXPECT_EQ(result_in(ask(VTPM_STOP)), VTPM_RESULT_SUCCESS);
  EXPECT_TRUE(answers->empty());
}

// -- outgoing --

class OutgoingTest : public LockTest {
 protected:
  OutgoingTest() : LockTest({.policy = {.release_lock_outgoing = true}}) {}
  void SetUp() override {
    init_and_start();
    remember(4);
    stores_before_ = store_.stores;
  }
  void hand_over() {
    get(VTPM_BLOB_TYPE_PERMANENT);
    get(VTPM_BLOB_TYPE_VOLATILE);
    get(VTPM_BLOB_TYPE_SAVESTATE);
  }
  int stores_before_ = 0;
};

// The target would not have it.
TEST_F(OutgoingTest, HandOverWhileSomethingIsUnstored_IsRefusedAndTheLockKept) {
  store_.fail_stores = true;
  execute(tpm2_command(FakeEngine::kGuess));

  EXPECT_NE(result_in(get(VTPM_BLOB_TYPE_SAVESTATE)), VTPM_RESULT_SUCCESS);

  EXPECT_TRUE(store_.locked);
}

TEST_F(OutgoingTest, PermanentAndVolatile_KeepTheLock) {
  get(VTPM_BLOB_TYPE_PERMANENT);
  get(VTPM_BLOB_TYPE_VOLATILE);

  EXPECT_TRUE(store_.locked);
}

TEST_F(OutgoingTest, Savestate_ReleasesTheLockThoughThereIsNone) {
  hand_over();

  EXPECT_FALSE(store_.locked);
  EXPECT_FALSE(tpm_.storage_locked());
  EXPECT_EQ(from<vtpm_status>(ask(VTPM_GET_STATUS)).flags, VTPM_STATUS_STARTED);
}

// B9
TEST_F(OutgoingTest, StopAfterTheHandOver_WritesNothing) {
  hand_over();
  fake_.executed.clear();

  EXPECT_EQ(result_in(ask(VTPM_STOP)), VTPM_RESULT_SUCCESS);

  EXPECT_THAT(fake_.executed, testing::IsEmpty());
  EXPECT_EQ(store_.stores, stores_before_);
}

TEST_F(OutgoingTest, ShutdownAfterTheHandOver_WritesNothing) {
  hand_over();
  fake_.executed.clear();

  EXPECT_EQ(result_in(ask(VTPM_SHUTDOWN)), VTPM_RESULT_SUCCESS);

  EXPECT_THAT(fake_.executed, testing::IsEmpty());
  EXPECT_EQ(store_.stores, stores_before_);
}

TEST_F(OutgoingTest, CommandsAfterTheHandOver_AreAskedToRetryAndReachNobody) {
  hand_over();
  fake_.executed.clear();

  EXPECT_EQ(execute(tpm2_command(FakeEngine::kRemember, hex("01020304"))), rc::retry);

  EXPECT_THAT(fake_.executed, testing::IsEmpty());
  EXPECT_EQ(store_.stores, stores_before_);
}

TEST_F(OutgoingTest, StoreVolatileAfterTheHandOver_IsRefused) {
  hand_over();

  EXPECT_EQ(result_in(ask(VTPM_STORE_VOLATILE)), VTPM_RESULT_FAIL);
  EXPECT_EQ(store_.stores, stores_before_);
}

TEST_F(OutgoingTest, LockTakenBack_GoesOnWhereItWas) {
  hand_over();

  EXPECT_EQ(result_in(lock(0)->at(0)), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(tpm_.phase(), Phase::on);
  EXPECT_EQ(execute(tpm2_command(FakeEngine::kRemember, hex("01020304"))), rc::success);
}

TEST_F(OutgoingTest, LockTakenBackAfterSomebodyWrote_IsAFault) {
  hand_over();
  store_.put(kPermanent, as_bytes("another's"));

  EXPECT_EQ(result_in(lock(0)->at(0)), VTPM_RESULT_TPM2_FAILURE);

  EXPECT_EQ(tpm_.phase(), Phase::failed);
  EXPECT_THAT(tpm_.failure_reason(), testing::HasSubstr("changed by somebody else"));
  EXPECT_EQ(*store_.find(kPermanent), to_bytes("another's"));
}

TEST_F(OutgoingTest, InitAfterSomebodyWrote_BeginsFromWhatIsStored) {
  hand_over();
  store_.put(kPermanent, hex("0a0b0c0d"));

  init_and_start();

  EXPECT_EQ(execute(tpm2_command(FakeEngine::kRecall, hex("0a0b0c0d"))), rc::success);
  EXPECT_TRUE(store_.locked);
}

TEST_F(OutgoingTest, InitWhileTheOtherSideHasTheLock_Fails) {
  hand_over();
  store_.held_by_another = true;

  EXPECT_EQ(result_in(init()), VTPM_RESULT_FAIL);
  EXPECT_EQ(tpm_.phase(), Phase::failed);
}

TEST_F(OutgoingTest, SecondHandOver_ReleasesAgain) {
  hand_over();
  lock(0);

  hand_over();

  EXPECT_FALSE(store_.locked);
}

// -- incoming --

class IncomingTest : public LockTest {
 protected:
  IncomingTest() : LockTest({.policy = {.incoming = true}}) { store_.held_by_another = true; }

  Answers begin_init() {
    vtpm_init request{};
    return begin(VTPM_INIT, view_of(request));
  }
};

TEST_F(IncomingTest, StateIsTaken_WhileTheSourceHasTheLock) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(as_bytes("given")))),
            VTPM_RESULT_SUCCESS);
  EXPECT_EQ(store_.lock_attempts, 0);
}

TEST_F(IncomingTest, Init_WaitsForTheLock) {
  auto answers = begin_init();
  let_pass(10);
  EXPECT_TRUE(answers->empty());
  EXPECT_EQ(fake_.power_ons, 0);
  store_.held_by_another = false;

  let_pass(1);

  EXPECT_EQ(result_in(answers->at(0)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(tpm_.phase(), Phase::on);
}

TEST_F(IncomingTest, InitThatWaitsInVain_FailsAfterThreeSeconds) {
  auto answers = begin_init();

  let_pass(299);
  EXPECT_TRUE(answers->empty());
  let_pass(1);

  EXPECT_EQ(result_in(answers->at(0)), VTPM_RESULT_FAIL);
  EXPECT_EQ(tpm_.phase(), Phase::failed);
}

// -- STORE_VOLATILE --

TEST_F(LockTest, StoreVolatile_WritesWhatThePowerOnResumes) {
  init_and_start();
  ASSERT_EQ(execute(tpm2_command(FakeEngine::kExtend, hex("01020304"))), rc::success);

  EXPECT_EQ(result_in(ask(VTPM_STORE_VOLATILE)), VTPM_RESULT_SUCCESS);
  ask(VTPM_STOP);
  init();

  EXPECT_EQ(tpm_.execute(tpm2_command(FakeEngine::kExtended)),
            hex("8001 0000000e 00000000 01020304"));
}

TEST_F(LockTest, StoreVolatileThatTheStorageRefuses_IsFailAndTheTpmGoesOn) {
  init_and_start();
  store_.fail_stores = true;

  EXPECT_EQ(result_in(ask(VTPM_STORE_VOLATILE)), VTPM_RESULT_FAIL);
  EXPECT_EQ(tpm_.phase(), Phase::on);
}

}  // namespace
}  // namespace vtpm
