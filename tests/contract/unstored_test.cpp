// No guess is free, whatever the storage does: what the real TPM counts goes on counting while
// nothing can be stored, over undone commands and power cycles (docs/decisions/0012).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "engine/tpm/libtpms_engine.h"
#include "engine/tpm/virtual_tpm.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/nv_commands.h"

namespace vtpm {
namespace {

constexpr ResponseCode kAuthFail{0x98E};
constexpr ResponseCode kLockoutAuthFail{0x98E};
constexpr ResponseCode kBadAuth{0x9A2};
constexpr ResponseCode kLockout{0x921};
constexpr int kMostTries = 3;  // libtpms' own default

// TPMA_NV: TPM_NT_PIN_FAIL or TPM_NT_PIN_PASS, written by the owner, read with the PIN, no_da.
constexpr uint32_t kPinFail = 0x02040082;
constexpr uint32_t kPinPass = 0x02040092;

class Guessing : public testing::Test {
 protected:
  explicit Guessing(TpmVersion version = TpmVersion::tpm20) {
    engine_ = LibtpmsEngine::create({.version = version, .profile = ""}, store_).value();
    tpm_.emplace(*engine_, store_, backoff_);
  }
  void SetUp() override { power_on_and_start(); }
  void power_on_and_start() {
    must(tpm_->power_on());
    must(tpm_->startup(StartupType::clear));
  }
  // Another process, on the same storage.
  void restart() {
    tpm_.reset();
    engine_.reset();
    engine_ = LibtpmsEngine::create({}, store_).value();
    tpm_.emplace(*engine_, store_, backoff_);
    power_on_and_start();
  }
  void define_secret() {
    ASSERT_EQ(send(nv_define(1, kNvWithDa, as_bytes("right"))), rc::success);
    ASSERT_EQ(send(nv_write(1, as_bytes("word"), as_bytes("right"))), rc::success);
  }
  void define_pin_index(uint32_t kind) {
    ASSERT_EQ(send(nv_define(2, kind, as_bytes("right"), 8)), rc::success);
    Bytes handles = BigEndianWriter().u32(0x40000001).u32(nv_index(2)).take();
    Bytes parameters = BigEndianWriter().u16(8).u32(0).u32(2).u16(0).take();  // 0 of 2
    ASSERT_EQ(send(tpm2_command_with_password(CommandCode{0x137}, handles, parameters)),
              rc::success);
  }
  ResponseCode send(ByteView command) { return response_code(tpm_->execute(command)); }
  ResponseCode guess(std::string_view pin) { return send(nv_read(1, as_bytes(pin))); }
  ResponseCode read_pin_index(std::string_view pin) { return send(nv_read(2, as_bytes(pin), 8)); }
  // TPM_PT_LOCKOUT_COUNTER
  uint32_t failed_tries() {
    Bytes query = BigEndianWriter().u32(6).u32(0x20E).u32(1).take();
    Bytes answer = tpm_->execute(tpm2_command(cc::get_capability, query));
    return BigEndianReader(ByteView(answer).last(4)).u32();
  }

  // PCR 0
  const Bytes extend_ =
      hex("8002 00000041 00000182 00000000 00000009 40000009 0000 00 0000"
          "00000001 000b" +
          std::string(64, '5'));
  MemoryStore store_;
  std::unique_ptr<LibtpmsEngine> engine_;
  FakeBackoff backoff_;
  std::optional<VirtualTpm> tpm_;
};

TEST_F(Guessing, WhileNothingIsStored_EndsInLockoutAndTheRightValueIsNotAnswered) {
  define_secret();
  store_.fail_stores = true;

  for (int i = 0; i < kMostTries; ++i) {
    EXPECT_EQ(guess("wrong"), kAuthFail);
  }

  EXPECT_EQ(guess("right"), kLockout);
  EXPECT_EQ(tpm_->phase(), Phase::on);
  EXPECT_TRUE(tpm_->has_unstored());
}

TEST_F(Guessing, ByACommandThatStoresByDesign_IsCountedToo) {
  define_secret();
  store_.fail_stores = true;

  EXPECT_EQ(send(nv_write(1, as_bytes("word"), as_bytes("wrong"))), kAuthFail);

  EXPECT_EQ(failed_tries(), 1u);
}

TEST_F(Guessing, CommandUndoneBehindIt_DoesNotTakeTheCountBack) {
  define_secret();
  store_.fail_stores = true;
  ASSERT_EQ(guess("wrong"), kAuthFail);

  ASSERT_EQ(send(nv_define(3, kNvNoDa)), rc::nv_unavailable);

  EXPECT_EQ(failed_tries(), 1u);
  EXPECT_TRUE(tpm_->has_unstored());
}

TEST_F(Guessing, PowerCyclesMeanwhile_DoNotTakeTheCountBack) {
  define_secret();
  store_.fail_stores = true;
  ASSERT_EQ(guess("wrong"), kAuthFail);

  must(tpm_->power_on());
  EXPECT_EQ(tpm_->startup(StartupType::clear).error().tpm_result,
            static_cast<uint32_t>(rc::nv_unavailable));
  tpm_->power_off();
  must(tpm_->power_on());
  store_.fail_stores = false;
  must(tpm_->startup(StartupType::clear));

  EXPECT_GE(failed_tries(), 1u);
}

TEST_F(Guessing, OnceStorageTakesItAgain_IsStoredBehindTheNextCommand) {
  define_secret();
  store_.fail_stores = true;
  ASSERT_EQ(guess("wrong"), kAuthFail);
  store_.fail_stores = false;

  ASSERT_EQ(send(get_random(8)), rc::success);

  EXPECT_FALSE(tpm_->has_unstored());
  restart();
  EXPECT_GE(failed_tries(), 1u);
}

TEST_F(Guessing, OnceStorageTakesItAgain_IsStoredByTheEnd) {
  define_secret();
  store_.fail_stores = true;
  ASSERT_EQ(guess("wrong"), kAuthFail);
  store_.fail_stores = false;

  tpm_->end();

  restart();
  EXPECT_GE(failed_tries(), 1u);
}

TEST_F(Guessing, OfLockoutAuth_IsDisabledByTheFirstWrongOne) {
  auto reset = [&](std::string_view password) {
    return send(
        tpm2_command_with_password(CommandCode{0x139}, hex("4000000a"), {}, as_bytes(password)));
  };
  store_.fail_stores = true;

  EXPECT_EQ(reset("wrong"), kLockoutAuthFail);

  EXPECT_EQ(reset(""), kLockout);
  store_.fail_stores = false;
  ASSERT_EQ(send(get_random(8)), rc::success);
  EXPECT_EQ(reset(""), kLockout);
}

TEST_F(Guessing, OfAPinFailIndex_EndsAtItsLimit) {
  define_pin_index(kPinFail);
  store_.fail_stores = true;

  EXPECT_EQ(read_pin_index("wrong"), kBadAuth);
  EXPECT_EQ(read_pin_index("wrong"), kBadAuth);

  EXPECT_NE(read_pin_index("right"), rc::success);
  must(tpm_->power_on());
  store_.fail_stores = false;
  must(tpm_->startup(StartupType::clear));
  EXPECT_NE(read_pin_index("right"), rc::success);
}

// A use that cannot be counted is no use.
TEST_F(Guessing, UseOfAPinPassIndexThatCannotBeStored_IsUndone) {
  define_pin_index(kPinPass);
  store_.fail_stores = true;

  EXPECT_EQ(read_pin_index("right"), rc::nv_unavailable);

  store_.fail_stores = false;
  EXPECT_EQ(read_pin_index("right"), rc::success);
  EXPECT_EQ(read_pin_index("right"), rc::success);
  EXPECT_NE(read_pin_index("right"), rc::success);
}

// -- what a TPM that was resumed is --

TEST_F(Guessing, ResumedBeforeStartup_IsNotStartedAndTakesStartup) {
  must(tpm_->power_on());
  must(tpm_->store_volatile());

  must(tpm_->power_on());

  EXPECT_FALSE(tpm_->started());
  EXPECT_TRUE(tpm_->startup(StartupType::clear).has_value());
}

TEST_F(Guessing, ResumedBehindStartup_IsStarted) {
  must(tpm_->store_volatile());

  must(tpm_->power_on());

  EXPECT_TRUE(tpm_->started());
  EXPECT_EQ(send(get_random(8)), rc::success);
}

// A crash must not bring back what Shutdown saved, when it is no longer what the TPM is.
TEST_F(Guessing, PcrExtendedBehindAShutdownThatCannotBeStored_IsUndone) {
  ASSERT_EQ(send(shutdown_command(ShutdownType::state)), rc::success);
  store_.fail_stores = true;

  EXPECT_EQ(send(extend_), rc::nv_unavailable);

  store_.fail_stores = false;
  EXPECT_EQ(send(extend_), rc::success);
}

TEST_F(Guessing, PcrExtendedBehindAShutdownAndAResumeThatCannotBeStored_IsUndone) {
  ASSERT_EQ(send(shutdown_command(ShutdownType::state)), rc::success);
  must(tpm_->store_volatile());
  must(tpm_->power_on());
  store_.fail_stores = true;

  EXPECT_EQ(send(extend_), rc::nv_unavailable);

  store_.fail_stores = false;
  EXPECT_EQ(send(extend_), rc::success);
}

// -- a status query changes nothing --

TEST_F(Guessing, LockoutQuery_CountsFailuresAndTheirReset) {
  define_secret();
  ASSERT_EQ(guess("wrong"), kAuthFail);
  EXPECT_EQ(tpm_->lockout().value().failed, 1u);

  ASSERT_EQ(send(tpm2_command_with_password(CommandCode{0x139}, hex("4000000a"), {})), rc::success);

  EXPECT_EQ(tpm_->lockout().value().failed, 0u);
}

TEST_F(Guessing, LockoutQueryWhileSomethingIsUnstored_StoresNothing) {
  define_secret();
  store_.fail_stores = true;
  ASSERT_EQ(guess("wrong"), kAuthFail);
  store_.fail_stores = false;
  const Bytes before = *store_.find({TpmVersion::tpm20, BlobKind::permanent});

  EXPECT_EQ(tpm_->lockout().value().failed, 1u);

  EXPECT_TRUE(tpm_->has_unstored());
  EXPECT_EQ(*store_.find({TpmVersion::tpm20, BlobKind::permanent}), before);
}

TEST_F(Guessing, LockoutQueryBehindAShutdownThatCannotBeStored_UndoesNothing) {
  ASSERT_EQ(send(shutdown_command(ShutdownType::state)), rc::success);
  store_.fail_stores = true;

  EXPECT_TRUE(tpm_->lockout().has_value());

  EXPECT_FALSE(tpm_->has_unstored());
  EXPECT_EQ(tpm_->phase(), Phase::on);
}

class HashSequence : public Guessing {
 protected:
  // PCR 17 behind a sequence with something in the middle.
  Bytes measured(const std::function<void()>& meanwhile) {
    must(tpm_->hash_start());
    must(tpm_->hash_data(as_bytes("first")));
    meanwhile();
    must(tpm_->hash_data(as_bytes("second")));
    must(tpm_->hash_end());
    Bytes answer = tpm_->execute(hex("8001 00000014 0000017e 00000001 000b 03 000002"));
    ByteView digest = ByteView(answer).last(32);
    return {digest.begin(), digest.end()};
  }
};

TEST_F(HashSequence, LockoutQueryMeanwhile_LeavesThePcrAsWithout) {
  const Bytes without = measured([] {});

  EXPECT_EQ(measured([&] { tpm_->lockout(); }), without);
}

TEST_F(HashSequence, LockoutQueryMeanwhile_GivesWhatWasFoundLast) {
  ASSERT_TRUE(tpm_->lockout().has_value());
  std::optional<LockoutState> found;

  measured([&] { found = tpm_->lockout(); });

  EXPECT_TRUE(found.has_value());
}

TEST_F(HashSequence, CommandMeanwhile_MakesTheLockoutTheTpmsAgain) {
  define_secret();
  must(tpm_->hash_start());
  ASSERT_EQ(guess("wrong"), kAuthFail);

  EXPECT_EQ(tpm_->lockout().value().failed, 1u);
}

class Undo12 : public Guessing {
 protected:
  Undo12() : Guessing(TpmVersion::tpm12) {}
  void SetUp() override {
    Guessing::SetUp();
    ASSERT_EQ(send(hex("00c1 0000000c 4000000a 0020")), rc::success);  // physical presence
    ASSERT_EQ(send(hex("00c1 0000000c 4000000a 0008")), rc::success);
    ASSERT_EQ(send(hex("00c1 0000000a 0000006f")), rc::success);     // PhysicalEnable
    ASSERT_EQ(send(hex("00c1 0000000b 00000072 00")), rc::success);  // PhysicalSetDeactivated
    ASSERT_EQ(send(save_state_), rc::success);
  }
  const Bytes* saved() { return store_.find({TpmVersion::tpm12, BlobKind::savestate}); }

  const Bytes save_state_ = hex("00c1 0000000a 00000098");
  const Bytes force_clear_ = hex("00c1 0000000a 0000005d");
  const Bytes pcr_read_ = hex("00c1 0000000e 00000015 00000001");
};

TEST_F(Undo12, CommandThatCannotBeStored_LeavesTheSavedStateAndATpmThatAnswers) {
  const Bytes before = *saved();
  store_.fail_stores = true;

  ASSERT_EQ(send(force_clear_), rc::tpm12_retry);

  ASSERT_NE(saved(), nullptr);
  EXPECT_EQ(*saved(), before);
  store_.fail_stores = false;
  EXPECT_EQ(send(pcr_read_), rc::success);
  EXPECT_EQ(saved(), nullptr) << "any command ends it";
  EXPECT_EQ(send(force_clear_), rc::success);
}

TEST_F(Undo12, SecondSaveThatCannotBeStored_LeavesTheFirst) {
  const Bytes before = *saved();
  store_.fail_stores = true;

  ASSERT_EQ(send(save_state_), rc::tpm12_retry);

  ASSERT_NE(saved(), nullptr);
  EXPECT_EQ(*saved(), before);
}

TEST_F(Undo12, ResumedBehindSaveState_KeepsTheSavedState) {
  must(tpm_->store_volatile());

  must(tpm_->power_on());

  EXPECT_TRUE(tpm_->started());
  EXPECT_NE(saved(), nullptr);
}

}  // namespace
}  // namespace vtpm
