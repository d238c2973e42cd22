// Backups: what a device that goes on meanwhile gives, generations, and what is given back.
#include "ctl/tool/states/backup.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <filesystem>

#include "ctl/tool/device/fresh_identity.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/file_faults.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/vtpmctl_fixture.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
constexpr BlobName kVolatile{TpmVersion::tpm20, BlobKind::volatile_state};
constexpr BlobName kPermanent12{TpmVersion::tpm12, BlobKind::permanent};

// -- Taking --

class Backup : public testing::Test {
 protected:
  Backup() {
    device_.on<vtpm_status>(VTPM_GET_STATUS, [](auto& status) {
      status = {};
      status.version = VTPM_VERSION_2_0;
      return 0;
    });
    device_.on<vtpm_get_state>(VTPM_GET_STATEBLOB, [this](auto& structure) {
      bool permanent = structure.req.type == VTPM_BLOB_TYPE_PERMANENT;
      asked_for_.push_back(structure.req.type);
      Bytes data = hex("aa00");
      data.back() = static_cast<std::byte>(permanent ? permanent_now() : 0);
      Bytes blob = *wrap_migration_blob(data, daemons_key_);
      structure.resp.tpm_result = VTPM_RESULT_SUCCESS;
      structure.resp.totlength = structure.resp.length = static_cast<uint32_t>(blob.size());
      std::memcpy(structure.resp.data, blob.data(), blob.size());
      return 0;
    });
  }
  // The permanent blob is another one each time that it is asked for, so many times.
  int permanent_now() { return changes_ > 0 ? changes_-- : 0; }

  AnsweringDevice device_;
  DeviceClient client_ = device_.client();
  int changes_ = 0;
  const SwtpmKey* daemons_key_ = nullptr;
  std::vector<uint32_t> asked_for_;
};

TEST_F(Backup, Taken_IsThePermanentBlobAlone) {
  auto taken = take_backup(client_, false, nullptr);

  ASSERT_THAT(*taken, SizeIs(1));
  EXPECT_EQ(taken->front().name, kPermanent);
  EXPECT_EQ(taken->front().data, hex("aa00"));
}

TEST_F(Backup, WithTheVolatileBlob_IsReadAroundIt) {
  auto taken = take_backup(client_, true, nullptr);

  EXPECT_THAT(*taken, SizeIs(2));
  EXPECT_THAT(asked_for_, ElementsAre(VTPM_BLOB_TYPE_PERMANENT, VTPM_BLOB_TYPE_VOLATILE,
                                      VTPM_BLOB_TYPE_PERMANENT));
}

TEST_F(Backup, PermanentBlobThatChangesMeanwhile_IsReadAgainUntilItHoldsStill) {
  changes_ = 3;

  auto taken = take_backup(client_, true, nullptr);

  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->front().data, hex("aa00")) << "the one that did not change any more";
  EXPECT_THAT(asked_for_, SizeIs(9));
}

TEST_F(Backup, TpmThatNeverHoldsStill_IsGivenUp) {
  changes_ = 1000;

  EXPECT_EQ(take_backup(client_, true, nullptr).error().code, Errc::busy);
}

TEST_F(Backup, EncryptedBlobWithoutItsKey_SaysWhichKey) {
  SwtpmKey key{Bytes(16, std::byte{7})};
  daemons_key_ = &key;

  EXPECT_THAT(take_backup(client_, false, nullptr).error().message, HasSubstr("--migration-key"));
  EXPECT_EQ(take_backup(client_, false, &key)->front().data, hex("aa00"));
}

// -- Generations --

class Generations : public testing::Test {
 protected:
  // As state backup does it: shift, then rename over.
  Result<void> back_up(const std::string& content, uint32_t generations) {
    directory_.write("new", content);
    auto shifted = shift_generations(file_, generations);
    bool renamed = shifted && ::rename((directory_ / "new").c_str(), file_.c_str()) == 0;
    return renamed ? Result<void>() : tl::unexpected(shifted.error());
  }
  // "5 4 3": what FILE, FILE.1, ... hold; "-" for one that is not there.
  std::string contents() const {
    std::string all = directory_.read("backup");
    for (const char* name : {"backup.1", "backup.2", "backup.3"}) {
      std::string content = directory_.read(name);
      all += " " + (content.empty() ? std::string("-") : content);
    }
    return all;
  }

  TemporaryDirectory directory_;
  const std::string file_ = directory_ / "backup";
};

TEST_F(Generations, None_KeepsNothing) {
  directory_.write("backup", "1");
  must(shift_generations(file_, 0));
  EXPECT_EQ(contents(), "1 - - -");
}

TEST_F(Generations, Some_MoveOnByOne) {
  must(back_up("1", 3));
  must(back_up("2", 3));
  must(back_up("3", 3));

  EXPECT_EQ(contents(), "3 2 1 -");
}

TEST_F(Generations, OldestThatIsNoBackup_IsNotReplaced) {
  must(back_up("1", 1));
  must(back_up("2", 1));

  EXPECT_THAT(back_up("3", 1).error().message, HasSubstr("no backup"));

  EXPECT_EQ(contents(), "2 1 - -");
}

TEST_F(Generations, WithoutSecondNames_MoveOnAllTheSame) {
  must(back_up("1", 2));
  {
    FileFaults faults(1, EPERM);  // linkat, as FAT answers it
    must(back_up("2", 2));
    ASSERT_TRUE(faults.happened());
  }
  EXPECT_EQ(contents(), "2 1 - -");
}

TEST_F(Generations, Interrupted_LosesNoneAndGoesOn) {
  must(back_up("1", 3));
  must(back_up("2", 3));
  must(back_up("3", 3));
  bool happened = true;
  for (int call = 1; happened; ++call) {
    FileFaults faults(call, EIO);
    happened = !shift_generations(file_, 3);
    EXPECT_EQ(directory_.read("backup"), "3") << "call " << call;
  }
  must(back_up("4", 3));

  EXPECT_EQ(contents(), "4 3 2 1");
}

// -- Giving back --

class Restore : public testing::Test {
 protected:
  Restore() {
    device_.on<vtpm_set_state>(VTPM_SET_STATEBLOB, [this](auto& structure) {
      given_.push_back(std::to_string(structure.req.type) + ":" +
                       std::to_string(structure.req.length));
      structure.resp.tpm_result = VTPM_RESULT_SUCCESS;
      return 0;
    });
  }
  Result<void> restore(const std::vector<StoredBlob>& blobs) {
    return restore_backup(client_, blobs, nullptr);
  }

  AnsweringDevice device_;
  DeviceClient client_ = device_.client();
  std::vector<std::string> given_;  // "type:length"
};

TEST_F(Restore, WithoutVolatileBlob_SaysThatThereIsNone) {
  must(restore({{kPermanent, hex("01")}}));

  EXPECT_THAT(given_, ElementsAre("1:23", "2:0", "2:0"));
  EXPECT_THAT(device_.asked, ElementsAre(VTPM_STOP, VTPM_SET_STATEBLOB, VTPM_SET_STATEBLOB,
                                         VTPM_SET_STATEBLOB, VTPM_INIT));
}

TEST_F(Restore, WithVolatileBlob_GivesItAfterThePermanentOne) {
  must(restore({{kPermanent, hex("01")}, {kVolatile, hex("0202")}}));
  EXPECT_THAT(given_, ElementsAre("1:23", "2:24"));
}

TEST_F(Restore, PowerOn_ForgetsTheVolatileStateThatWasStored) {
  uint32_t flags = 0;
  device_.on<vtpm_init>(VTPM_INIT, [&](auto& structure) {
    flags = structure.req.init_flags;
    structure.resp.tpm_result = VTPM_RESULT_SUCCESS;
    return 0;
  });

  must(restore({{kPermanent, hex("01")}}));

  EXPECT_EQ(flags, VTPM_INIT_FLAG_DELETE_VOLATILE);
}

struct FailingStep {
  uint32_t request;
  const char* what_now;
};

class RestoreThatFails : public Restore, public testing::WithParamInterface<FailingStep> {};

TEST_P(RestoreThatFails, SaysWhatTheTpmIsNowAndHowToGoBack) {
  device_.refuse(GetParam().request, VTPM_RESULT_FAIL);

  auto restored = restore({{kPermanent, hex("01")}});

  EXPECT_THAT(restored.error().message, HasSubstr(GetParam().what_now));
}

INSTANTIATE_TEST_SUITE_P(
    Each, RestoreThatFails,
    testing::Values(FailingStep{VTPM_STOP, "Nothing was changed"},
                    FailingStep{VTPM_SET_STATEBLOB, "vtpmctl power on vtpm7 goes on from that"},
                    FailingStep{VTPM_INIT, "could not be powered on with the backup"}));

TEST(BlobsToRestore, OtherVersionsAndVolatile_AreLeftOut) {
  std::vector<StoredBlob> backup{
      {kPermanent, hex("01")}, {kVolatile, hex("02")}, {kPermanent12, hex("03")}};

  EXPECT_THAT(blobs_to_restore(backup, TpmVersion::tpm20, true).value(), SizeIs(2));
  EXPECT_THAT(blobs_to_restore(backup, TpmVersion::tpm20, false).value(), SizeIs(1));
  EXPECT_EQ(blobs_to_restore(backup, TpmVersion::tpm12, true)->front().data, hex("03"));
}

TEST(BlobsToRestore, BackupOfTheOtherVersion_SaysHowToChangeTheDevice) {
  auto blobs = blobs_to_restore({{kPermanent12, hex("03")}}, TpmVersion::tpm20, true);

  EXPECT_THAT(blobs.error().message, HasSubstr("vtpmctl version DEV 1.2"));
}

// -- Another identity --

class FreshIdentityTest : public testing::Test {
 protected:
  FreshIdentityTest() {
    device_.on<vtpm_execute>(VTPM_EXECUTE, [this](auto& structure) {
      ByteView command = std::as_bytes(std::span(structure.req.data)).first(structure.req.length);
      BigEndianReader reader(command);
      reader.bytes(6);
      uint32_t code = reader.u32();
      Bytes response = answers_[code];
      codes_.push_back(code);
      structure = {};
      structure.resp.length = static_cast<uint32_t>(response.size());
      std::memcpy(structure.resp.data, response.data(), response.size());
      return 0;
    });
  }

  static constexpr uint32_t kStartup = 0x144, kChangeEps = 0x124, kList = 0x17a, kUndefine = 0x122,
                            kShutdown = 0x145;
  const Bytes success_ = hex("8001 0000000a 00000000");
  const Bytes refused_ = hex("8001 0000000a 00000149");
  std::map<uint32_t, Bytes> answers_{
      {kStartup, success_},
      {kChangeEps, success_},
      // a certificate of an endorsement key, one of the platform
      {kList, hex("8001 0000001b 00000000 00 00000001 00000002 01c00002 01c08000")},
      {kUndefine, success_},
      {kShutdown, success_}};
  std::vector<uint32_t> codes_;
  AnsweringDevice device_;
  DeviceClient client_ = device_.client();
};

TEST_F(FreshIdentityTest, Made_RemovesCertificatesOfTheOldKeyAlone) {
  auto made = make_fresh_identity(client_);

  EXPECT_THAT(made->removed, ElementsAre(0x01c00002u));
  EXPECT_THAT(made->left, IsEmpty());
  EXPECT_THAT(codes_, ElementsAre(kStartup, kChangeEps, kList, kUndefine, kShutdown));
}

TEST_F(FreshIdentityTest, CertificateThatThePlatformMayNotRemove_IsTold) {
  answers_[kUndefine] = refused_;

  EXPECT_THAT(make_fresh_identity(client_)->left, ElementsAre(0x01c00002u));
}

TEST_F(FreshIdentityTest, ChangeThatIsRefused_EndsItWithItsName) {
  answers_[kChangeEps] = refused_;

  EXPECT_THAT(make_fresh_identity(client_).error().message, HasSubstr("ChangeEPS"));
  EXPECT_THAT(codes_, ElementsAre(kStartup, kChangeEps));
}

TEST_F(FreshIdentityTest, ListThatContradictsItself_IsNotFollowed) {
  answers_[kList] = hex("8001 00000017 00000000 01 00000001 00000002 01c00002");

  EXPECT_EQ(make_fresh_identity(client_).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace vtpm
