// Requests that ask about the TPM, and the established flag with the hash interface.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/keys/swtpm_key.h"
#include "tests/unit/control_surface_fixture.h"

namespace vtpm {
namespace {

using testing::Each;
using testing::HasSubstr;

Bytes locality_request(uint8_t locality) {
  vtpm_locality request{};
  request.req.loc = locality;
  return to_bytes(view_of(request));
}

class SteerTest : public ControlSurfaceTest {
 protected:
  using ControlSurfaceTest::ControlSurfaceTest;

  Result<Bytes> reset(uint8_t locality) {
    return ask(VTPM_RESET_TPMESTABLISHED, locality_request(locality));
  }
  Result<Bytes> hash(uint32_t length) {
    auto request = std::make_unique<vtpm_hash_data>();
    request->req.length = length;
    request->req.data[0] = 0x11;
    request->req.data[VTPM_HASH_DATA_MAX - 1] = 0x22;
    return ask(VTPM_HASH_DATA, view_of(*request));
  }
  Result<Bytes> info(uint64_t flags, uint32_t offset) {
    vtpm_info request{};
    request.req.flags = flags;
    request.req.offset = offset;
    return ask(VTPM_GET_INFO, view_of(request));
  }
};

// -- established flag and hash interface --

TEST_F(SteerTest, Established_IsZeroThenOneAfterHashStart) {
  init();
  EXPECT_EQ(from<vtpm_established>(ask(VTPM_GET_TPMESTABLISHED)).bit, 0);

  EXPECT_EQ(result_in(ask(VTPM_HASH_START)), VTPM_RESULT_SUCCESS);

  auto answer = from<vtpm_established>(ask(VTPM_GET_TPMESTABLISHED));
  EXPECT_EQ(answer.tpm_result, VTPM_RESULT_SUCCESS);
  EXPECT_EQ(answer.bit, 1);
  EXPECT_THAT(answer.pad, Each(0));
}

TEST_F(SteerTest, ResetEstablishedFrom3Or4_Resets) {
  init();
  ask(VTPM_HASH_START);

  EXPECT_EQ(result_in(reset(3)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(from<vtpm_established>(ask(VTPM_GET_TPMESTABLISHED)).bit, 0);
  EXPECT_EQ(result_in(reset(4)), VTPM_RESULT_SUCCESS);
}

TEST_F(SteerTest, ResetEstablishedFromBelow3_IsTheTpmsToRefuse) {
  init();
  ask(VTPM_HASH_START);

  EXPECT_EQ(result_in(reset(0)), VTPM_RESULT_BAD_LOCALITY);
  EXPECT_EQ(result_in(reset(2)), VTPM_RESULT_BAD_LOCALITY);
  EXPECT_EQ(from<vtpm_established>(ask(VTPM_GET_TPMESTABLISHED)).bit, 1);
}

// B1
TEST_F(SteerTest, ResetEstablishedFrom5AndMore_IsAnswered) {
  init();

  EXPECT_EQ(result_in(reset(5)), VTPM_RESULT_BAD_LOCALITY);
  EXPECT_EQ(result_in(reset(255)), VTPM_RESULT_BAD_LOCALITY);
}

TEST_F(SteerTest, HashData_ReachesTheTpmToTheLastByte) {
  init();
  ask(VTPM_HASH_START);

  EXPECT_EQ(result_in(hash(VTPM_HASH_DATA_MAX)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(result_in(hash(1)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(result_in(ask(VTPM_HASH_END)), VTPM_RESULT_SUCCESS);

  ASSERT_EQ(fake_.hashed.size(), VTPM_HASH_DATA_MAX + 1u);
  EXPECT_EQ(fake_.hashed[VTPM_HASH_DATA_MAX - 1], std::byte{0x22});
  EXPECT_EQ(fake_.hashed.back(), std::byte{0x11});
}

TEST_F(SteerTest, HashDataLongerThanItsField_IsFailAndReachesNobody) {
  init();
  ask(VTPM_HASH_START);

  EXPECT_EQ(result_in(hash(VTPM_HASH_DATA_MAX + 1)), VTPM_RESULT_FAIL);
  EXPECT_EQ(result_in(hash(0xffffffff)), VTPM_RESULT_FAIL);
  EXPECT_TRUE(fake_.hashed.empty());
}

TEST_F(SteerTest, HashingWhileTheStorageIsReleased_IsRefused) {
  init();
  ASSERT_TRUE(tpm_.release_storage().has_value());

  EXPECT_EQ(result_in(ask(VTPM_HASH_START)), VTPM_RESULT_FAIL);
  EXPECT_EQ(result_in(hash(1)), VTPM_RESULT_FAIL);
  EXPECT_EQ(result_in(ask(VTPM_HASH_END)), VTPM_RESULT_FAIL);
  EXPECT_EQ(result_in(reset(4)), VTPM_RESULT_FAIL);
  EXPECT_EQ(from<vtpm_established>(ask(VTPM_GET_TPMESTABLISHED)).bit, 0);
}

// -- info --

TEST_F(SteerTest, Info_IsTheWholeTextWithItsNulAndNothingBehind) {
  fake_.description = R"({"a":1})";

  auto answer = from<vtpm_info>(info(VTPM_INFO_TPMSPECIFICATION | VTPM_INFO_TPMATTRIBUTES, 0));

  EXPECT_EQ(answer.resp.tpm_result, VTPM_RESULT_SUCCESS);
  EXPECT_EQ(answer.resp.totlength, 8u);
  EXPECT_EQ(answer.resp.length, 8u);
  EXPECT_STREQ(answer.resp.buffer, R"({"a":1})");
  EXPECT_EQ(fake_.described, VTPM_INFO_TPMSPECIFICATION | VTPM_INFO_TPMATTRIBUTES);
}

// B14
TEST_F(SteerTest, Info_HasNoByteThatIsNotOfTheText) {
  fake_.description = "text";

  auto answer = from<vtpm_info>(info(0, 0));

  EXPECT_THAT(std::span(answer.resp.buffer).subspan(4), Each('\0'));
}

TEST_F(SteerTest, InfoInPieces_IsTheSameText) {
  fake_.description = std::string(3071, 'a') + std::string(100, 'b');

  auto first = from<vtpm_info>(info(0, 0));
  auto second = from<vtpm_info>(info(0, first.resp.length));

  EXPECT_EQ(first.resp.totlength, 3172u);
  EXPECT_EQ(first.resp.length, 3072u);
  EXPECT_EQ(second.resp.length, 100u);
  EXPECT_EQ(std::string(first.resp.buffer, 3072) + second.resp.buffer, fake_.description);
}

TEST_F(SteerTest, InfoFromTheLastCharacter_IsItAndTheNul) {
  fake_.description = "text";

  auto answer = from<vtpm_info>(info(0, 3));

  EXPECT_EQ(answer.resp.length, 2u);
  EXPECT_STREQ(answer.resp.buffer, "t");
}

TEST_F(SteerTest, InfoFromTheEndOrBehindIt_IsABadParameter) {
  fake_.description = "text";

  EXPECT_EQ(result_in(info(0, 4)), VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(result_in(info(0, 0xffffffff)), VTPM_RESULT_BAD_PARAMETER);
}

// -- config --

class KeyTest : public ControlSurfaceTest {
 protected:
  KeyTest() : ControlSurfaceTest({.migration_key = &key_}) {}
  static const SwtpmKey key_;
};
const SwtpmKey KeyTest::key_{16};

TEST_F(KeyTest, GetConfigWithAMigrationKey_TellsOfIt) {
  EXPECT_EQ(from<vtpm_config>(ask(VTPM_GET_CONFIG)).flags, VTPM_CONFIG_FLAG_MIGRATION_KEY);
}

TEST_F(SteerTest, GetConfigWithoutAnyKey_HasNoFlags) {
  EXPECT_EQ(from<vtpm_config>(ask(VTPM_GET_CONFIG)).flags, 0u);
}

class FileKeyTest : public ControlSurfaceTest {
 protected:
  FileKeyTest() : ControlSurfaceTest({.file_key = &key_}) {}
  static const SwtpmKey key_;
};
const SwtpmKey FileKeyTest::key_{16};

TEST_F(FileKeyTest, GetConfigWithAFileKey_TellsOfIt) {
  EXPECT_EQ(from<vtpm_config>(ask(VTPM_GET_CONFIG)).flags, VTPM_CONFIG_FLAG_FILE_KEY);
}

class SealedTest : public ControlSurfaceTest {
 protected:
  SealedTest() : ControlSurfaceTest({.sealed = true}) {}
};

TEST_F(SealedTest, GetConfigOfAStoreThatIsEncryptedInItsOwnWay_TellsOfAFileKey) {
  EXPECT_EQ(from<vtpm_config>(ask(VTPM_GET_CONFIG)).flags, VTPM_CONFIG_FLAG_FILE_KEY);
}

// -- locality --

class Reject4Test : public ControlSurfaceTest {
 protected:
  Reject4Test() : ControlSurfaceTest({.policy = {.reject_locality_4 = true}}) {}
};

TEST_F(Reject4Test, Locality4_IsRefusedAnd3IsTaken) {
  EXPECT_EQ(result_in(set_locality(4)), VTPM_RESULT_BAD_LOCALITY);
  EXPECT_EQ(tpm_.locality(), Locality{0});
  EXPECT_EQ(result_in(set_locality(3)), VTPM_RESULT_SUCCESS);
}

// -- status --

TEST_F(SteerTest, StatusOfATpmThatIsOff_SaysWhereItsStateIs) {
  auto status = from<vtpm_status>(ask(VTPM_GET_STATUS));

  EXPECT_EQ(status.tpm_result, VTPM_RESULT_SUCCESS);
  EXPECT_EQ(status.phase, VTPM_PHASE_OFF);
  EXPECT_EQ(status.version, VTPM_VERSION_2_0);
  EXPECT_EQ(status.locality, 0u);
  EXPECT_EQ(status.flags, 0u);
  EXPECT_EQ(status.pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(status.commands, 0u);
  EXPECT_EQ(status.reserved, 0u);
  EXPECT_STREQ(status.state, "memory");
  EXPECT_STREQ(status.reason, "");
}

TEST_F(SteerTest, StatusOfATpmInUse_HasItsFlagsLocalityAndCommands) {
  init_and_start();
  execute(get_random(4));
  set_locality(2);
  raw_node_in_use_ = true;

  auto status = from<vtpm_status>(ask(VTPM_GET_STATUS));

  EXPECT_EQ(status.phase, VTPM_PHASE_ON);
  EXPECT_EQ(status.locality, 2u);
  EXPECT_EQ(status.flags, VTPM_STATUS_STARTED | VTPM_STATUS_STORAGE_LOCKED | VTPM_STATUS_IN_USE);
  EXPECT_EQ(status.commands, 2u);
}

TEST_F(SteerTest, StatusInFailedPhase_HasTheReason) {
  store_.fail_loads = true;
  init();

  auto status = from<vtpm_status>(ask(VTPM_GET_STATUS));

  EXPECT_EQ(status.phase, VTPM_PHASE_FAILED);
  EXPECT_THAT(status.reason, HasSubstr("load told to fail"));
}

TEST_F(SteerTest, InitWithAnUnusableState_HasOneCodeForATpm20) {
  store_.fail_loads = true;
  store_.load_failure = Errc::corrupt;
  store_.load_result = 0x21;

  EXPECT_EQ(result_in(init()), VTPM_RESULT_TPM2_FAILURE);
}

class SteerTpm12Test : public SteerTest {
 protected:
  SteerTpm12Test() : SteerTest({.version = TpmVersion::tpm12}) {}
};

TEST_F(SteerTpm12Test, InitWithAnUnusableState_TellsWrongKeysApart) {
  store_.fail_loads = true;
  store_.load_failure = Errc::corrupt;
  store_.load_result = 0x21;
  EXPECT_EQ(result_in(init()), 0x21u);
  store_.load_failure = Errc::unsupported;
  store_.load_result = 0x28;

  EXPECT_EQ(result_in(init()), 0x28u);
}

TEST_F(SteerTest, StatusAfterStop_ForgetsTheFailure) {
  store_.fail_loads = true;
  init();
  ask(VTPM_STOP);

  auto status = from<vtpm_status>(ask(VTPM_GET_STATUS));

  EXPECT_EQ(status.phase, VTPM_PHASE_OFF);
  EXPECT_STREQ(status.reason, "");
}

TEST_F(SteerTest, Details_AreWhatTheDaemonRemembers) {
  raw_node_opener_ = {42, "qemu"};
  storage_failure_ = {"the disk is full", std::chrono::seconds(7), false};

  auto details = from<vtpm_details>(ask(VTPM_GET_DETAILS));

  EXPECT_EQ(details.flags, VTPM_DETAILS_STORAGE_FAILED);
  EXPECT_EQ(details.uptime, 90u);
  EXPECT_EQ(details.storage_failure_age, 7u);
  EXPECT_STREQ(details.storage_failure, "the disk is full");
  EXPECT_STREQ(details.opener, "qemu");
  EXPECT_STREQ(details.program, VTPM_VERSION);
  EXPECT_EQ(from<vtpm_status>(ask(VTPM_GET_STATUS)).opener_pid, 42u);
}

TEST_F(SteerTest, DetailsOfStorageThatFails_TellItFromStorageThatFailed) {
  storage_failure_ = {"the disk is full", std::chrono::seconds(7), true};

  EXPECT_EQ(from<vtpm_details>(ask(VTPM_GET_DETAILS)).flags,
            VTPM_DETAILS_STORAGE_FAILED | VTPM_DETAILS_STORAGE_FAILS);
}

TEST_F(SteerTest, DetailsOfAStartedTpm_HaveItsLockoutAndAreNoCommandOfItsClients) {
  init_and_start();
  fake_.lockout = LockoutState{2, 3, 1000, 2000};
  uint64_t before = tpm_.commands();

  auto details = from<vtpm_details>(ask(VTPM_GET_DETAILS));

  EXPECT_EQ(details.flags, VTPM_DETAILS_LOCKOUT_KNOWN);
  EXPECT_EQ(details.lockout_failed, 2u);
  EXPECT_EQ(details.lockout_limit, 3u);
  EXPECT_EQ(details.lockout_interval, 1000u);
  EXPECT_EQ(details.lockout_recovery, 2000u);
  EXPECT_EQ(tpm_.commands(), before);
}

TEST_F(SteerTest, DetailsOfATpmThatIsNotStarted_HaveNoLockout) {
  init();
  fake_.lockout = LockoutState{2, 3, 1000, 2000};

  EXPECT_EQ(from<vtpm_details>(ask(VTPM_GET_DETAILS)).flags, 0u);
}

// -- version --

class VersionTest : public ControlSurfaceTest {
 protected:
  Result<Bytes> set_version(uint32_t version) {
    vtpm_version request{};
    request.req.version = version;
    return ask(VTPM_SET_VERSION, view_of(request));
  }
};

TEST_F(VersionTest, WhileOff_IsChangedAndAnnounced) {
  EXPECT_EQ(result_in(set_version(VTPM_VERSION_1_2)), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(tpm_.version(), TpmVersion::tpm12);
  EXPECT_EQ(changes_announced_, 1);
  EXPECT_EQ(from<vtpm_status>(ask(VTPM_GET_STATUS)).version, VTPM_VERSION_1_2);
}

TEST_F(VersionTest, WhileOn_IsRefusedAndNotAnnounced) {
  init();

  EXPECT_EQ(result_in(set_version(VTPM_VERSION_1_2)), VTPM_RESULT_BAD_ORDINAL);

  EXPECT_EQ(tpm_.version(), TpmVersion::tpm20);
  EXPECT_EQ(changes_announced_, 0);
}

TEST_F(VersionTest, InFailedPhase_IsPossible) {
  enter(Phase::failed);

  EXPECT_EQ(result_in(set_version(VTPM_VERSION_1_2)), VTPM_RESULT_SUCCESS);
}

TEST_F(VersionTest, ThatNoTpmHas_IsABadParameter) {
  EXPECT_EQ(result_in(set_version(0)), VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(result_in(set_version(3)), VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(changes_announced_, 0);
}

TEST_F(VersionTest, BackAndForth_KeepsEachVersionsState) {
  init_and_start();
  ASSERT_EQ(execute(tpm2_command(FakeEngine::kRemember, hex("01020304"))), rc::success);
  ask(VTPM_STOP);
  set_version(VTPM_VERSION_1_2);
  init();
  ask(VTPM_STOP);

  set_version(VTPM_VERSION_2_0);
  init_and_start();

  EXPECT_EQ(execute(tpm2_command(FakeEngine::kRecall, hex("01020304"))), rc::success);
  EXPECT_NE(store_.find({TpmVersion::tpm12, BlobKind::permanent}), nullptr);
}

TEST_F(VersionTest, CancelOfATpm12_IsFail) {
  set_version(VTPM_VERSION_1_2);
  init();

  EXPECT_EQ(result_in(ask(VTPM_CANCEL_TPM_CMD)), VTPM_RESULT_FAIL);
}

}  // namespace
}  // namespace vtpm
