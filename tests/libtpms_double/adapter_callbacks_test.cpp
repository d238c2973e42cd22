// What the adapter's callbacks give libtpms, and what it makes of failures: no exception, no lost
// reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/libtpms_double/adapter_fixture.h"
#include "tests/support/commands.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"

namespace vtpm {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};

// -- callbacks --

TEST_F(LibtpmsAdapter, Callbacks_AreAllThereWithTheirStructuresSize) {
  auto engine = make_on();
  const libtpms_callbacks& callbacks = libtpms().callbacks.value();

  EXPECT_EQ(callbacks.sizeOfStruct, static_cast<int>(sizeof(libtpms_callbacks)));
  EXPECT_EQ(callbacks.tpm_nvram_init(), TPM_SUCCESS);
  EXPECT_EQ(callbacks.tpm_nvram_init(), TPM_SUCCESS) << "comes often";
  EXPECT_EQ(callbacks.tpm_io_init(), TPM_SUCCESS);
  EXPECT_NE(callbacks.tpm_nvram_loaddata, nullptr);
  EXPECT_NE(callbacks.tpm_nvram_storedata, nullptr);
  EXPECT_NE(callbacks.tpm_nvram_deletename, nullptr);
  EXPECT_NE(callbacks.tpm_io_getlocality, nullptr);
  TPM_BOOL present = 1;
  EXPECT_EQ(callbacks.tpm_io_getphysicalpresence(&present, 0), TPM_SUCCESS);
  EXPECT_EQ(present, 0);
}

TEST_F(LibtpmsAdapter, BlobThatIsNotThere_IsTpmRetry) {
  auto engine = make_on();

  EXPECT_EQ(libtpms().load(TPM_PERMANENT_ALL_NAME).result, 0x800u);
  EXPECT_EQ(libtpms().load("no-such-name").result, 0x800u);
}

const Bytes kWriting = tpm2_command(CommandCode{0x12A});  // as far as anybody knows

// What the library does while it processes a command.
void during_a_command(Engine& engine, const std::function<void()>& what) {
  libtpms().process = [&] {
    what();
    return TPM_SUCCESS;
  };
  static_cast<void>(engine.execute(kWriting, Locality{}));
}

void must_execute(Engine& engine, const Bytes& command) {
  EXPECT_TRUE(engine.execute(command, Locality{}).has_value());
}

TEST_F(LibtpmsAdapter, DamagedBlob_IsAnErrorOtherThanTpmRetry) {
  auto engine = make_on();
  store_.damaged = true;

  EXPECT_EQ(libtpms().load(TPM_PERMANENT_ALL_NAME).result, TPM_FAIL);
}

TEST_F(LibtpmsAdapter, EmptyBlob_IsNeverSuccess) {
  must(store_.store(kPermanent, {}));
  auto engine = make_on();

  EXPECT_EQ(libtpms().load(TPM_PERMANENT_ALL_NAME).result, TPM_FAIL);
}

TEST_F(LibtpmsAdapter, BlobOfMoreThan128KiB_IsLoadedIntoMallocedMemory) {
  Bytes full_nv(180 * 1024, std::byte{0x5a});
  must(store_.store(kPermanent, full_nv));
  auto engine = make_on();

  auto loaded = libtpms().load(TPM_PERMANENT_ALL_NAME);

  EXPECT_EQ(loaded.result, TPM_SUCCESS);
  EXPECT_EQ(loaded.data, full_nv);
}

TEST_F(LibtpmsAdapter, Names_AreTheThreeKindsOfTheEnginesVersion) {
  auto engine = make_on({.version = TpmVersion::tpm12, .profile = ""});

  during_a_command(*engine, [] {
    EXPECT_EQ(libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("p")), TPM_SUCCESS);
    EXPECT_EQ(libtpms().store(TPM_VOLATILESTATE_NAME, as_bytes("v")), TPM_SUCCESS);
    EXPECT_EQ(libtpms().store(TPM_SAVESTATE_NAME, as_bytes("s")), TPM_SUCCESS);
  });

  EXPECT_EQ(*store_.find({TpmVersion::tpm12, BlobKind::permanent}), to_bytes("p"));
  EXPECT_EQ(*store_.find({TpmVersion::tpm12, BlobKind::volatile_state}), to_bytes("v"));
  EXPECT_EQ(*store_.find({TpmVersion::tpm12, BlobKind::savestate}), to_bytes("s"));
}

TEST_F(LibtpmsAdapter, UnknownNameToStore_IsRefused) {
  auto engine = make_on();

  EXPECT_EQ(libtpms().store("no-such-name", as_bytes("x")), TPM_FAIL);
}

TEST_F(LibtpmsAdapter, Delete_RemovesAndAsksWhetherItMustExist) {
  auto engine = make_on();
  must(store_.store(kPermanent, as_bytes("p")));

  during_a_command(*engine, [] {
    EXPECT_EQ(libtpms().remove(TPM_PERMANENT_ALL_NAME, true), TPM_SUCCESS);
    EXPECT_EQ(libtpms().remove(TPM_PERMANENT_ALL_NAME, false), TPM_SUCCESS);
    EXPECT_EQ(libtpms().remove(TPM_PERMANENT_ALL_NAME, true), TPM_FAIL);
  });
  EXPECT_THAT(store_.blobs, IsEmpty());
}

TEST_F(LibtpmsAdapter, Locality_IsThatOfTheRunningCommand) {
  auto engine = make_on();
  uint32_t seen = 99;
  libtpms().response = hex("8001 0000000a 00000000");
  libtpms().process = [&] {
    seen = libtpms().locality();
    return TPM_SUCCESS;
  };

  ASSERT_TRUE(engine->execute(get_random(8), Locality{3}).has_value());

  EXPECT_EQ(seen, 3u);
}

// -- no exception passes --

TEST_F(LibtpmsAdapter, ThrowingStore_IsAFailedCallback) {
  auto engine = make_on();
  store_.throws = true;

  EXPECT_EQ(libtpms().load(TPM_PERMANENT_ALL_NAME).result, TPM_FAIL);
}

TEST_F(LibtpmsAdapter, StoreThatThrowsAtACommit_IsAnErrorOfTheCommand) {
  auto engine = make_on();
  libtpms().response = hex("8001 0000000a 00000000");
  libtpms().state = to_bytes("as it was");
  libtpms().process = [&] {
    store_.throws = true;
    return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("x"));
  };

  EXPECT_EQ(engine->execute(kWriting, Locality{}).error().code, Errc::io);
}

TEST_F(LibtpmsAdapter, StoreThatThrowsDuringPowerOn_IsAReasonNotABlankError) {
  libtpms().main_init = [&] {
    store_.throws = true;
    auto loaded = libtpms().load(TPM_PERMANENT_ALL_NAME);
    store_.throws = false;
    return loaded.result;
  };
  auto engine = make();

  EXPECT_EQ(engine->power_on(StoredVolatile::keep).error().code, Errc::io);
}

// -- failures --

TEST_F(LibtpmsAdapter, StoreThatFailsDuringMainInit_IsTheReason) {
  store_.damaged = true;
  libtpms().main_init = [] { return libtpms().load(TPM_PERMANENT_ALL_NAME).result; };
  auto engine = make();

  auto powered = engine->power_on(StoredVolatile::keep);

  ASSERT_FALSE(powered.has_value());
  EXPECT_EQ(powered.error().code, Errc::corrupt);
  EXPECT_THAT(powered.error().message, HasSubstr("damaged on disk"));
}

TEST_F(LibtpmsAdapter, MainInitThatSucceedsWithoutHavingStored_IsNoPowerOn) {
  store_.fail_stores = true;
  libtpms().main_init = [] {
    EXPECT_EQ(libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("new")), TPM_SUCCESS);
    return TPM_SUCCESS;
  };
  auto engine = make();

  auto powered = engine->power_on(StoredVolatile::keep);

  ASSERT_FALSE(powered.has_value());
  EXPECT_THAT(powered.error().message, HasSubstr("store told to fail"));
  EXPECT_EQ(libtpms().calls.back(), "Terminate");
}

TEST_F(LibtpmsAdapter, FailedCommit_GivesTheLibraryWhatItWasAndStartsItAgain) {
  auto engine = make_on();
  store_.fail_stores = true;
  libtpms().state = to_bytes("as it was");
  libtpms().process = [] { return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("x")); };
  libtpms().response = hex("8001 0000000a 00000000");
  libtpms().calls.clear();

  auto response = engine->execute(kWriting, Locality{});

  ASSERT_FALSE(response.has_value());
  EXPECT_FALSE(engine->in_failure_mode());
  EXPECT_EQ(libtpms().given, to_bytes("as it was"));
  EXPECT_THAT(libtpms().calls, IsSupersetOf({"Terminate", "MainInit"}));
}

TEST_F(LibtpmsAdapter, FailedCommitThatCannotBeUndone_IsFailureMode) {
  auto engine = make_on();
  libtpms().response = hex("8001 0000000a 00000000");
  store_.fail_stores = true;
  libtpms().state = to_bytes("as it was");
  libtpms().process = [] { return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("x")); };
  libtpms().main_init = [] { return TPM_FAIL; };

  EXPECT_FALSE(engine->execute(kWriting, Locality{}).has_value());

  EXPECT_TRUE(engine->in_failure_mode());
  EXPECT_EQ(engine->execute(kWriting, Locality{}).error().code, Errc::wrong_phase);
}

// -- what is stored by design, and what is kept for later (docs/decisions/0012) --

const Bytes kExtend = tpm2_command(CommandCode{0x182});
const Bytes kSuccess = hex("8001 0000000a 00000000");

TEST_F(LibtpmsAdapter, CommandThatDoesNotStore_TakesNoCopyOfTheTpm) {
  auto engine = make_on();
  libtpms().response = kSuccess;
  libtpms().state = to_bytes("as it was");

  must_execute(*engine, kExtend);

  EXPECT_EQ(libtpms().states_taken, 0);
}

TEST_F(LibtpmsAdapter, CommandThatStores_TakesACopyOfTheTpm) {
  auto engine = make_on();
  libtpms().response = kSuccess;
  libtpms().state = to_bytes("as it was");

  must_execute(*engine, kWriting);

  EXPECT_EQ(libtpms().states_taken, 2);
}

TEST_F(LibtpmsAdapter, CommandBehindAShutdown_TakesACopyOfTheTpm) {
  auto engine = make_on();
  libtpms().response = kSuccess;
  libtpms().state = to_bytes("as it was");
  must_execute(*engine, shutdown_command(ShutdownType::state));
  libtpms().states_taken = 0;

  must_execute(*engine, kExtend);

  EXPECT_EQ(libtpms().states_taken, 2);
}

class ResumedAdapter : public LibtpmsAdapter {
 protected:
  void SetUp() override {
    LibtpmsAdapter::SetUp();
    must(store_.store({TpmVersion::tpm20, BlobKind::volatile_state}, as_bytes("volatile")));
    libtpms().main_init = [] {
      static_cast<void>(libtpms().load(TPM_VOLATILESTATE_NAME));
      return TPM_SUCCESS;
    };
    libtpms().response = kSuccess;
    libtpms().state = to_bytes("as it was");
    engine_ = make_on();
    libtpms().states_taken = 0;
  }
  int copies_before(const Bytes& command) {
    libtpms().states_taken = 0;
    must_execute(*engine_, command);
    return libtpms().states_taken / 2;
  }

  std::unique_ptr<LibtpmsEngine> engine_;
};

Bytes extend_pcr(uint32_t pcr) {
  return tpm2_command(CommandCode{0x182}, BigEndianWriter().u32(pcr).take());
}

TEST_F(ResumedAdapter, Commands_TakeACopyUntilASavedPcrWasExtended) {
  EXPECT_EQ(copies_before(get_random(8)), 1);
  EXPECT_EQ(copies_before(extend_pcr(16)), 1);
  EXPECT_EQ(copies_before(extend_pcr(15)), 1);

  EXPECT_EQ(copies_before(get_random(8)), 0);
}

TEST_F(ResumedAdapter, ExtendThatFails_EndsNothing) {
  libtpms().response = hex("8001 0000000a 00000101");
  must_execute(*engine_, extend_pcr(0));

  libtpms().response = kSuccess;
  EXPECT_EQ(copies_before(get_random(8)), 1);
}

TEST_F(ResumedAdapter, CommandWithoutAHandle_EndsNothing) {
  must_execute(*engine_, kExtend);

  EXPECT_EQ(copies_before(get_random(8)), 1);
}

TEST_F(LibtpmsAdapter, FailedCommitOfACommandThatDoesNotStore_IsKeptAndAnswered) {
  auto engine = make_on();
  store_.fail_stores = true;
  libtpms().response = kSuccess;
  libtpms().process = [] { return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("counted")); };
  libtpms().calls.clear();

  EXPECT_TRUE(engine->execute(kExtend, Locality{}).has_value());

  EXPECT_FALSE(engine->in_failure_mode());
  ASSERT_NE(engine->unstored(), nullptr);
  EXPECT_THAT(engine->unstored()->message, HasSubstr("store told to fail"));
  EXPECT_THAT(libtpms().calls, IsEmpty());
}

TEST_F(LibtpmsAdapter, FailedCommitOfACommandThatFailed_IsKeptAndAnswered) {
  auto engine = make_on();
  store_.fail_stores = true;
  libtpms().state = to_bytes("as it was");
  libtpms().response = hex("8001 0000000a 0000098e");
  libtpms().process = [] { return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("counted")); };

  must_execute(*engine, kWriting);

  EXPECT_EQ(libtpms().load(TPM_PERMANENT_ALL_NAME).data, to_bytes("counted"));
}

TEST_F(LibtpmsAdapter, WhatIsKept_IsWhatTheLibraryIsGivenAtTheNextPowerOn) {
  auto engine = make_on();
  must(store_.store(kPermanent, as_bytes("on disk")));
  store_.fail_stores = true;
  libtpms().response = kSuccess;
  libtpms().process = [] { return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("counted")); };
  must_execute(*engine, kExtend);
  engine->power_off();
  Bytes given;
  libtpms().main_init = [&] {
    given = libtpms().load(TPM_PERMANENT_ALL_NAME).data;
    return TPM_SUCCESS;
  };

  EXPECT_TRUE(engine->power_on(StoredVolatile::keep).has_value());

  EXPECT_EQ(given, to_bytes("counted"));
}

TEST_F(LibtpmsAdapter, WhatIsDropped_IsNotStoredAndNotGiven) {
  auto engine = make_on();
  must(store_.store(kPermanent, as_bytes("on disk")));
  store_.fail_stores = true;
  libtpms().process = [] { return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("counted")); };
  libtpms().response = kSuccess;
  must_execute(*engine, kExtend);
  store_.fail_stores = false;

  engine->drop_unstored();

  EXPECT_EQ(engine->unstored(), nullptr);
  must(engine->store_unstored());
  EXPECT_EQ(*store_.find(kPermanent), to_bytes("on disk"));
  EXPECT_EQ(libtpms().load(TPM_PERMANENT_ALL_NAME).data, to_bytes("on disk"));
}

TEST_F(LibtpmsAdapter, WhatWasKeptBeforeAnUndoneCommand_IsKeptBehindIt) {
  auto engine = make_on();
  store_.fail_stores = true;
  libtpms().state = to_bytes("counted");
  libtpms().response = kSuccess;
  libtpms().process = [] { return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("counted")); };
  must_execute(*engine, kExtend);
  libtpms().process = [] {
    libtpms().process = [] { return TPM_SUCCESS; };  // once: whether it answers is asked afterwards
    return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("changed"));
  };

  EXPECT_FALSE(engine->execute(kWriting, Locality{}).has_value());

  EXPECT_EQ(libtpms().load(TPM_PERMANENT_ALL_NAME).data, to_bytes("counted"));
}

// An undone transport could take back what the command in it has counted.
TEST_F(LibtpmsAdapter, FailedCommitOfATransport_IsAnErrorAndKept) {
  auto engine = make_on({.version = TpmVersion::tpm12, .profile = ""});
  store_.fail_stores = true;
  libtpms().state = to_bytes("as it was");
  libtpms().response = hex("00c4 0000000a 00000000");
  libtpms().process = [] { return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("counted")); };

  EXPECT_FALSE(engine->execute(hex("00c1 0000000a 000000e7"), Locality{}).has_value());

  EXPECT_FALSE(engine->in_failure_mode());
  EXPECT_EQ(libtpms().load(TPM_PERMANENT_ALL_NAME).data, to_bytes("counted"));
}

TEST_F(LibtpmsAdapter, Tpm12ThatFailedItsSelfTest_IsInFailureMode) {
  auto engine = make_on({.version = TpmVersion::tpm12, .profile = ""});
  libtpms().response = hex("00c4 0000000a 0000001c");

  must_execute(*engine, hex("00c1 0000000e 00000015 00000000"));

  EXPECT_TRUE(engine->in_failure_mode());
}

TEST_F(LibtpmsAdapter, UndoneTpmThatAnswersFailure_IsInFailureMode) {
  auto engine = make_on();
  store_.fail_stores = true;
  libtpms().state = to_bytes("as it was");
  libtpms().response = kSuccess;
  libtpms().process = [] {
    libtpms().process = [] {
      libtpms().response = hex("8001 0000000a 00000101");
      return TPM_SUCCESS;
    };
    return libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("x"));
  };

  EXPECT_FALSE(engine->execute(kWriting, Locality{}).has_value());

  EXPECT_TRUE(engine->in_failure_mode());
}

TEST_F(LibtpmsAdapter, ResumedTpmInFailureMode_IsNoPowerOn) {
  must(store_.store({TpmVersion::tpm20, BlobKind::volatile_state}, as_bytes("v")));
  libtpms().main_init = [] {
    EXPECT_EQ(libtpms().load(TPM_VOLATILESTATE_NAME).result, TPM_SUCCESS);
    return TPM_SUCCESS;
  };
  libtpms().response = hex("8001 0000000a 00000101");
  auto engine = make();

  EXPECT_FALSE(engine->power_on(StoredVolatile::keep).has_value());

  EXPECT_EQ(engine->execute(kExtend, Locality{}).error().code, Errc::wrong_phase);
}

// -- what the library answers --

TEST_F(LibtpmsAdapter, ProcessThatFails_IsTheFailureResponse) {
  auto engine = make_on();
  libtpms().process = [] { return TPM_SIZE; };

  auto response = engine->execute(get_random(8), Locality{});

  EXPECT_EQ(to_bytes(response.value()), hex("8001 0000000a 00000101"));
  EXPECT_TRUE(engine->in_failure_mode());
}

TEST_F(LibtpmsAdapter, ResponseShorterThanAHeader_IsTheFailureResponse) {
  auto engine = make_on();
  libtpms().response = hex("8001");

  auto response = engine->execute(get_random(8), Locality{});

  EXPECT_EQ(to_bytes(response.value()), hex("8001 0000000a 00000101"));
}

TEST_F(LibtpmsAdapter, CommandLongerThanAnyBuffer_DoesNotReachTheLibrary) {
  auto engine = make_on();
  bool reached = false;
  libtpms().process = [&] {
    reached = true;
    return TPM_SUCCESS;
  };

  EXPECT_EQ(engine->execute(Bytes(kMaxMessage + 1), Locality{}).error().code, Errc::invalid);
  EXPECT_FALSE(reached);
}

}  // namespace
}  // namespace vtpm
