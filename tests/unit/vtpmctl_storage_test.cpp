// The verbs for state at rest, and what they refuse.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "ctl/tool/states/state_locations.h"
#include "engine/state/file/file_store.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/unit/vtpmctl_command_fixture.h"

namespace vtpm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
constexpr BlobName kSavestate12{TpmVersion::tpm12, BlobKind::savestate};

class StorageVerb : public VtpmctlCommand {
 protected:
  StorageVerb() {
    directory_.write("key", std::string(64, 'a'));
    directory_.write("other-key", std::string(64, 'b'));
    directory_.write("words", "a passphrase");
  }

  std::unique_ptr<StateStore> open(const std::string& text, const std::string& key = {}) {
    auto location = find_location(text, instances_).value();
    return open_location(location, LocationKey::read(location, key).value(),
                         CreateState::if_missing)
        .value();
  }
  void put(const std::string& text, BlobName name, ByteView data, const std::string& key = {}) {
    auto store = open(text, key);
    must(store->lock());
    must(store->store(name, data));
  }
  Result<Bytes> load(const std::string& text, BlobName name, const std::string& key = {}) {
    return open(text, key)->load(name);
  }
  void configure(const std::string& name, const std::string& settings) {
    directory_.write("etc/" + name + ".toml", settings);
  }
  nlohmann::json inspected(const std::string& text) {
    EXPECT_EQ(state({"inspect", text, "--json"}), 0) << err_.str();
    return nlohmann::json::parse(out_.str());
  }
  void damage(size_t offset) {
    std::string content = directory_.read("state");
    content.replace(offset, 6, "damage");
    directory_.write("state", content);
  }

  const std::string file_ = "file:" + path("state");
  const std::string dir_ = "dir:" + path("swtpm");
  const std::string key_ = "file=" + path("key");
  const std::string other_key_ = "file=" + path("other-key");
};

// -- Places --

TEST_F(StorageVerb, Location_IsAPlaceOrAnInstance) {
  configure("web01", "device = 'vtpm3'\n");
  configure("web02", "state = 'file:/srv/web02'\n");

  EXPECT_EQ(find_location("file:/a:b", instances_)->text(), "file:/a:b");
  EXPECT_EQ(find_location("dir:/a", instances_)->kind, LocationKind::directory);
  EXPECT_EQ(find_location("web01", instances_)->text(), instances_.state_of("web01").describe());
  EXPECT_EQ(find_location("web02", instances_)->text(), "file:/srv/web02");
}

TEST_F(StorageVerb, LocationThatIsNone_IsRefused) {
  for (const char* text : {"/var/lib/state", "file:", "tape:/dev/st0"}) {
    EXPECT_EQ(find_location(text, instances_).error().code, Errc::invalid) << text;
  }
  EXPECT_EQ(find_location("web09", instances_).error().code, Errc::not_found);
}

// -- Inspect --

TEST_F(StorageVerb, Inspect_TellsOfEveryBlob) {
  put(file_, kPermanent, hex("0102"));
  put(file_, kPermanent, hex("010203"));

  auto json = inspected(file_);

  EXPECT_EQ(json["format"], "file");
  EXPECT_EQ(json["version"], 2);
  EXPECT_EQ(json["sealed"], "no");
  EXPECT_EQ(json["size"], kStateFileSize);
  ASSERT_EQ(json["blobs"].size(), 1u);
  auto blob = json["blobs"][0];
  EXPECT_EQ(blob["tpm"], "2.0");
  EXPECT_EQ(blob["kind"], "permanent");
  EXPECT_EQ(blob["bytes"], 3);
  EXPECT_EQ(blob["sequence"], 3);
  EXPECT_EQ(blob["writer"], "-");
  EXPECT_EQ(blob["copies"], nlohmann::json({"good", "older"}));
}

TEST_F(StorageVerb, InspectOfABlobThatWasStoredOnce_ShowsThatBothCopiesHaveIt) {
  put(file_, kPermanent, hex("0102"));

  EXPECT_EQ(inspected(file_)["blobs"][0]["copies"], nlohmann::json({"the same", "good"}));
}

TEST_F(StorageVerb, InspectOfAWriter_IsLibtpmsVersion) {
  FileStoreOptions options;
  options.writer = 0x000a02;
  auto store = FileStore::open(path("state"), std::move(options)).value();
  must(store->lock());
  must(store->store(kPermanent, hex("01")));

  store.reset();

  EXPECT_EQ(inspected(file_)["blobs"][0]["writer"], "0.10.2");
  EXPECT_EQ(state({"rekey", file_, "--new-key", key_}), 0) << err_.str();
  EXPECT_EQ(inspected(file_)["blobs"][0]["writer"], "0.10.2") << "a key is no libtpms";
}

TEST_F(StorageVerb, InspectWithoutTheKey_TellsHowItIsSealed) {
  put(file_, kPermanent, hex("0102"), "pwdfile=" + path("words"));

  auto json = inspected(file_);

  EXPECT_EQ(json["sealed"], "passphrase");
  EXPECT_EQ(json["scrypt_log2_n"], 15);
  EXPECT_EQ(json["blobs"][0]["bytes"], 2);
}

TEST_F(StorageVerb, InspectOfDamage_ShowsItAndSucceeds) {
  put(file_, kPermanent, hex("0102"));
  damage(slot_offset(0, 0) + 40);

  EXPECT_THAT(inspected(file_)["blobs"][0]["copies"][0], HasSubstr("damaged: "));

  damage(20);
  EXPECT_EQ(inspected(file_)["header"], "one copy damaged");
  damage(kHeaderCopy + 20);
  EXPECT_EQ(inspected(file_)["header"], "damaged");
}

TEST_F(StorageVerb, InspectOfARunningTpmsState_NeedsNoLock) {
  put(file_, kPermanent, hex("0102"));
  auto daemon = open(file_);
  must(daemon->lock());

  EXPECT_EQ(state({"inspect", file_}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("permanent"));
}

TEST_F(StorageVerb, InspectOfSwtpmsDirectory_TellsWhatItsHeadersSay) {
  put(dir_, kPermanent, hex("0102"));
  directory_.write("swtpm/tpm-00.savestate", "short");
  // version 2, encrypted with a file key of 256 bits, 16 bytes in all
  directory_.write("swtpm/tpm-00.permall", std::string("\x02\x01\0\x0a\0\x09\0\0\0\x10secret", 16));

  auto blobs = inspected(dir_)["blobs"];

  EXPECT_EQ(blobs[0]["encrypted"], "no");
  EXPECT_EQ(blobs[1]["encrypted"], "AES-256");
  EXPECT_THAT(blobs[2]["condition"], HasSubstr("damaged: "));
}

TEST_F(StorageVerb, InspectOfNothing_IsAFailure) {
  directory_.write("state", "");
  directory_.write("diary", "dear diary");
  std::filesystem::create_directory(path("swtpm"));

  for (const std::string& place : {file_, dir_, "file:" + path("missing"), "dir:" + path("missing"),
                                   "file:" + path("diary")}) {
    EXPECT_EQ(state({"inspect", place}), 1) << place;
    EXPECT_THAT(err_.str(), Not(IsEmpty()));
  }
  EXPECT_EQ(directory_.read("state"), "");
}

// -- Import, export --

TEST_F(StorageVerb, ImportAndExport_CarryAllBlobs) {
  put(dir_, kPermanent, hex("0102"));
  put(dir_, kSavestate12, hex("03"));

  ASSERT_EQ(state({"import", dir_, file_}), 0) << err_.str();
  EXPECT_EQ(load(file_, kSavestate12).value(), hex("03"));

  ASSERT_EQ(state({"export", file_, "dir:" + path("back")}), 0) << err_.str();
  EXPECT_EQ(load("dir:" + path("back"), kPermanent).value(), hex("0102"));
}

TEST_F(StorageVerb, ImportWithAKey_SealsTheFile) {
  put(dir_, kPermanent, hex("0102"));

  ASSERT_EQ(state({"import", dir_, file_, "--key", key_}), 0) << err_.str();

  EXPECT_EQ(load(file_, kPermanent, key_).value(), hex("0102"));
  EXPECT_EQ(load(file_, kPermanent).error().code, Errc::denied);
  EXPECT_EQ(state({"export", file_, "dir:" + path("back"), "--from-key", key_}), 0) << err_.str();
}

// A secret that was sealed must not be put down in the clear.
TEST_F(StorageVerb, SealedInstance_IsImportedToAndExportedFromWithItsKey) {
  configure("web01", "state = '" + file_ + "'\nkey = '" + key_ + "'\n");
  put(dir_, kPermanent, as_bytes("permanent"));

  ASSERT_EQ(state({"import", dir_, "web01"}), 0) << err_.str();

  EXPECT_EQ(load(file_, kPermanent, key_).value(), to_bytes("permanent"));
  EXPECT_EQ(state({"export", "web01", "dir:" + path("back")}), 0) << err_.str();
  EXPECT_EQ(state({"rekey", "web01", "--remove-key"}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("remove key in"));
  EXPECT_EQ(load(file_, kPermanent).value(), to_bytes("permanent"));
}

TEST_F(StorageVerb, WrongWay_IsRefusedWithTheRightVerb) {
  put(dir_, kPermanent, hex("0102"));
  put(file_, kPermanent, hex("0102"));

  EXPECT_EQ(state({"import", file_, dir_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("vtpmctl state export"));
  EXPECT_EQ(state({"export", dir_, file_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("vtpmctl state import"));
  EXPECT_EQ(state({"import", dir_, "dir:" + path("other")}), 1);
}

TEST_F(StorageVerb, ImportOverAState_WantsToBeTold) {
  put(dir_, kPermanent, hex("0102"));
  put(file_, kPermanent, hex("0f"));

  EXPECT_EQ(state({"import", dir_, file_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("--replace"));
  EXPECT_EQ(load(file_, kPermanent).value(), hex("0f"));

  EXPECT_EQ(state({"import", dir_, file_, "--replace"}), 0);
  EXPECT_EQ(load(file_, kPermanent).value(), hex("0102"));
}

TEST_F(StorageVerb, ImportWhileATpmRuns_SaysHowToEndIt) {
  put(dir_, kPermanent, hex("0102"));
  auto daemon = open(dir_);
  must(daemon->lock());

  EXPECT_EQ(state({"import", dir_, file_}), 1);

  EXPECT_THAT(err_.str(), AllOf(HasSubstr("in use"), HasSubstr("vtpmctl stop")));
  EXPECT_FALSE(std::filesystem::exists(path("state")));
}

TEST_F(StorageVerb, ExportWithTheWrongKey_LeavesNothing) {
  put(file_, kPermanent, hex("0102"), key_);

  EXPECT_EQ(state({"export", file_, dir_, "--from-key", other_key_}), 1);

  EXPECT_THAT(err_.str(), HasSubstr("key"));
  EXPECT_FALSE(std::filesystem::exists(path("swtpm")));
}

// -- Rekey --

TEST_F(StorageVerb, Rekey_ChangesTheKeyAndKeepsTheState) {
  put(file_, kPermanent, hex("0102"));

  ASSERT_EQ(state({"rekey", file_, "--new-key", key_}), 0) << err_.str();
  EXPECT_EQ(load(file_, kPermanent, key_).value(), hex("0102"));

  ASSERT_EQ(state({"rekey", file_, "--key", key_, "--new-key", other_key_}), 0) << err_.str();
  EXPECT_EQ(load(file_, kPermanent, key_).error().code, Errc::denied);

  ASSERT_EQ(state({"rekey", file_, "--key", other_key_, "--remove-key"}), 0) << err_.str();
  EXPECT_EQ(load(file_, kPermanent).value(), hex("0102"));
}

TEST_F(StorageVerb, RekeyWithTheWrongKey_ChangesNothing) {
  put(file_, kPermanent, hex("0102"), key_);

  EXPECT_EQ(state({"rekey", file_, "--key", other_key_, "--new-key", other_key_}), 1);

  EXPECT_EQ(load(file_, kPermanent, key_).value(), hex("0102"));
}

TEST_F(StorageVerb, RekeyOfARunningTpmsState_SaysHowToEndIt) {
  put(file_, kPermanent, hex("0102"));
  auto daemon = open(file_);
  must(daemon->lock());

  EXPECT_EQ(state({"rekey", file_, "--new-key", key_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("vtpmctl terminate DEV"));
}

TEST_F(StorageVerb, RekeyThatFailsInTheMiddle_SaysHowToTellWhichKeyHolds) {
  put(file_, kPermanent, hex("0102"));
  damage(slot_offset(0, 0) + 40);
  damage(slot_offset(0, 1) + 40);

  EXPECT_EQ(state({"rekey", file_, "--new-key", key_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("vtpmctl state inspect"));
}

TEST_F(StorageVerb, RekeyOfWhatHasNoKey_IsRefused) {
  put(file_, kPermanent, hex("0102"));
  put(dir_, kPermanent, hex("0102"));

  EXPECT_EQ(state({"rekey", file_, "--remove-key"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("not sealed"));
  EXPECT_EQ(state({"rekey", dir_, "--new-key", key_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("file:"));
}

// -- Backup, restore --

class BackupVerb : public StorageVerb {
 protected:
  BackupVerb() {
    device_.on<vtpm_status>(VTPM_GET_STATUS, [this](auto& status) {
      status = {};
      status.version = version_;
      status.phase = phase_;
      return 0;
    });
    device_.on<vtpm_get_state>(VTPM_GET_STATEBLOB, [](auto& structure) {
      Bytes blob = *wrap_migration_blob(hex("0102"), nullptr);
      structure.resp.tpm_result = VTPM_RESULT_SUCCESS;
      structure.resp.totlength = structure.resp.length = static_cast<uint32_t>(blob.size());
      std::memcpy(structure.resp.data, blob.data(), blob.size());
      return 0;
    });
  }

  // A TPM that has no NV index and refuses nothing.
  void answer_commands() {
    device_.on<vtpm_execute>(VTPM_EXECUTE, [](auto& structure) {
      bool lists = std::to_integer<int>(std::as_bytes(std::span(structure.req.data))[9]) == 0x7a;
      Bytes response = lists ? hex("8001 00000013 00000000 00 00000001 00000000")
                             : hex("8001 0000000a 00000000");
      structure = {};
      structure.resp.length = static_cast<uint32_t>(response.size());
      std::memcpy(structure.resp.data, response.data(), response.size());
      return 0;
    });
  }

  // The last request that was not asked for what is told in the end.
  uint32_t last_change() const {
    auto changes = device_.asked;
    std::erase(changes, VTPM_GET_STATUS);
    return changes.back();
  }

  SwtpmKey daemons_key_{Bytes(32, std::byte{0xaa})};  // as in key_
  uint32_t version_ = VTPM_VERSION_2_0;
  uint32_t phase_ = VTPM_PHASE_ON;
  const std::string backup_ = path("backup");
};

TEST_F(BackupVerb, Backup_IsAStateFile) {
  ASSERT_EQ(state({"backup", "vtpm7", backup_, "--volatile", "--key", key_}), 0) << err_.str();

  EXPECT_EQ(load("file:" + backup_, kPermanent, key_).value(), hex("0102"));
  EXPECT_EQ(inspected("file:" + backup_)["blobs"].size(), 2u);
}

TEST_F(BackupVerb, Generations_AreKept) {
  for (int round = 0; round < 4; ++round) {
    ASSERT_EQ(state({"backup", "vtpm7", backup_, "--generations", "2"}), 0) << err_.str();
  }
  EXPECT_EQ(load("file:" + backup_ + ".2", kPermanent).value(), hex("0102"));
  EXPECT_FALSE(std::filesystem::exists(backup_ + ".3"));
}

TEST_F(BackupVerb, BackupOverSomethingElse_IsRefused) {
  directory_.write("backup", "a diary");

  EXPECT_EQ(state({"backup", "vtpm7", backup_}), 1);

  EXPECT_EQ(directory_.read("backup"), "a diary");
}

TEST_F(BackupVerb, BackupOntoAStateInUse_IsRefused) {
  put(file_, kPermanent, hex("0f"));
  auto daemon = open(file_);
  must(daemon->lock());

  EXPECT_EQ(state({"backup", "vtpm7", path("state")}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("in use"));
}

TEST_F(BackupVerb, RestoreOfAWrongFile_LeavesTheDeviceAlone) {
  put("file:" + backup_, kPermanent, hex("0102"), key_);
  directory_.write("diary", "dear diary");

  EXPECT_EQ(state({"restore", "vtpm7", path("diary"), "--same-identity"}), 1);
  EXPECT_EQ(state({"restore", "vtpm7", path("missing"), "--same-identity"}), 1);
  EXPECT_EQ(state({"restore", "vtpm7", backup_, "--same-identity"}), 1) << "without its key";
  EXPECT_THAT(device_.asked, IsEmpty());
}

TEST_F(BackupVerb, RestoreToTheOtherVersion_StopsNothing) {
  put("file:" + backup_, kPermanent, hex("0102"));
  version_ = VTPM_VERSION_1_2;

  EXPECT_EQ(state({"restore", "vtpm7", backup_, "--same-identity"}), 1);
  EXPECT_EQ(state({"restore", "vtpm7", backup_, "--fresh-identity"}), 1);

  EXPECT_THAT(device_.asked, testing::Each(VTPM_GET_STATUS));
}

TEST_F(BackupVerb, FreshIdentity_LeavesThePowerAsItWas) {
  put("file:" + backup_, kPermanent, hex("0102"));
  answer_commands();

  ASSERT_EQ(state({"restore", "vtpm7", backup_, "--fresh-identity"}), 0) << err_.str();
  EXPECT_EQ(last_change(), VTPM_INIT);

  phase_ = VTPM_PHASE_OFF;
  ASSERT_EQ(state({"restore", "vtpm7", backup_, "--fresh-identity"}), 0) << err_.str();
  EXPECT_EQ(last_change(), VTPM_STOP);
}

TEST_F(BackupVerb, RestoreThatCannotRefreshTheIdentity_SaysNotToStartTheClone) {
  put("file:" + backup_, kPermanent, hex("0102"));
  device_.fail(VTPM_EXECUTE, EIO);

  EXPECT_EQ(state({"restore", "vtpm7", backup_, "--fresh-identity"}), 1);

  EXPECT_THAT(err_.str(), HasSubstr("do not start the clone"));
}

// -- Of instances that do not run --

class InstanceBackup : public BackupVerb {
 protected:
  InstanceBackup() {
    for (const char* name : {"etc", "lib", "run", "backups"}) {
      std::filesystem::create_directories(path(name));
    }
  }
  // Stopped: its device is not there.
  void make(const std::string& name, const std::string& state) {
    directory_.write("etc/" + name + ".toml", "device = \"vtpm3\"\nstate = \"" + state + "\"\n");
  }
};

TEST_F(InstanceBackup, OfAStoppedTpm_IsTakenFromItsStorage) {
  make("web01", file_);
  put(file_, kPermanent, hex("0102"));

  ASSERT_EQ(state({"backup", "web01", backup_}), 0) << err_.str();

  EXPECT_EQ(load("file:" + backup_, kPermanent).value(), hex("0102"));
  EXPECT_THAT(directory_.read("lib/.last-backup/web01"), testing::MatchesRegex("....-..-..T.*Z\n"));
}

TEST_F(InstanceBackup, OfAnotherFormat_IsAStateFileAllTheSame) {
  make("web01", dir_);
  put(dir_, kPermanent, hex("0102"));

  ASSERT_EQ(state({"backup", "web01", backup_}), 0) << err_.str();

  EXPECT_EQ(load("file:" + backup_, kPermanent).value(), hex("0102"));
}

TEST_F(InstanceBackup, WhoseTpmIsOff_IsTakenBesideItsDaemonsLock) {
  directory_.write("etc/web01.toml", "device = \"vtpm7\"\nstate = \"" + file_ + "\"\n");
  put(file_, kPermanent, hex("0f0f"));
  auto daemon = open(file_);
  must(daemon->lock());
  phase_ = VTPM_PHASE_OFF;

  ASSERT_EQ(state({"backup", "vtpm7", backup_}), 0) << err_.str();

  EXPECT_EQ(load("file:" + backup_, kPermanent).value(), hex("0f0f"));
}

TEST_F(InstanceBackup, KeyFileThatCannotBeRead_IsNoWrongUsage) {
  make("web01", file_);
  put(file_, kPermanent, hex("0102"));

  EXPECT_EQ(state({"backup", "web01", backup_, "--key", "file=" + path("no-such-key")}), 1);

  EXPECT_THAT(err_.str(), HasSubstr("no-such-key"));
  EXPECT_FALSE(std::filesystem::exists(backup_));
}

// -- Export of an instance --

class InstanceExport : public InstanceBackup {
 protected:
  InstanceExport() {
    directory_.write("etc/web01.toml", "device = \"vtpm7\"\nstate = \"" + file_ + "\"\n");
    put(file_, kPermanent, hex("0f0f"));
    put(file_, kSavestate12, hex("03"));
  }
  const std::string back_ = "dir:" + path("back");
};

TEST_F(InstanceExport, WhileItRuns_IsWhatTheDaemonHasAndTellsThatItGoesOn) {
  auto daemon = open(file_);
  must(daemon->lock());

  ASSERT_EQ(state({"export", "web01", back_}), 0) << err_.str();

  EXPECT_EQ(load(back_, kPermanent).value(), hex("0102"));
  EXPECT_EQ(load(back_, kSavestate12).error().code, Errc::not_found);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("web01 runs, and goes on"), HasSubstr(back_)));
}

TEST_F(InstanceExport, WhoseTpmIsOff_IsAllThatIsStored) {
  auto daemon = open(file_);
  must(daemon->lock());
  phase_ = VTPM_PHASE_OFF;

  ASSERT_EQ(state({"export", "web01", back_}), 0) << err_.str();

  EXPECT_EQ(load(back_, kPermanent).value(), hex("0f0f"));
  EXPECT_EQ(load(back_, kSavestate12).value(), hex("03"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(InstanceExport, WhoseDaemonHasAMigrationKey_WantsIt) {
  device_.on<vtpm_get_state>(VTPM_GET_STATEBLOB, [this](auto& structure) {
    Bytes blob = *wrap_migration_blob(hex("0102"), &daemons_key_);
    structure.resp.tpm_result = VTPM_RESULT_SUCCESS;
    structure.resp.totlength = structure.resp.length = static_cast<uint32_t>(blob.size());
    std::memcpy(structure.resp.data, blob.data(), blob.size());
    return 0;
  });

  EXPECT_EQ(state({"export", "web01", back_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("--migration-key"));
  EXPECT_EQ(state({"export", "web01", back_, "--migration-key", key_ + ",mode=aes-256-cbc"}), 0)
      << err_.str();

  EXPECT_EQ(load(back_, kPermanent).value(), hex("0102"));
}

TEST_F(InstanceExport, ByTheFileOfARunningOne_SaysToNameTheInstance) {
  auto daemon = open(file_);
  must(daemon->lock());

  EXPECT_EQ(state({"export", file_, back_}), 1);

  EXPECT_THAT(err_.str(), AllOf(HasSubstr("vtpmctl stop"), HasSubstr("instance that is named")));
}

TEST_F(InstanceBackup, OfAll_GoesOnBehindAFailureAndTellsIt) {
  make("web01", "file:" + path("missing"));
  make("web02", file_);
  put(file_, kPermanent, hex("0102"));

  EXPECT_EQ(state({"backup", "--all", path("backups")}), 1);

  EXPECT_THAT(out_.str(), AllOf(HasSubstr("web01: FAILED: "), HasSubstr("web02: backed up as ")));
  EXPECT_THAT(err_.str(), HasSubstr("not backed up: web01\n"));
  EXPECT_EQ(load("file:" + path("backups/web02"), kPermanent).value(), hex("0102"));
}

TEST_F(InstanceBackup, OfAllAsJson_IsOneObjectForEach) {
  make("web02", file_);
  put(file_, kPermanent, hex("0102"));

  EXPECT_EQ(state({"backup", "--all", path("backups"), "--json"}), 0) << err_.str();

  auto told = nlohmann::json::parse(out_.str());
  EXPECT_EQ(told.at(0).at("name"), "web02");
  EXPECT_EQ(told.at(0).at("ok"), true);
}

TEST_F(InstanceBackup, ToStandardOutput_IsTheFileAlone) {
  make("web01", file_);
  put(file_, kPermanent, hex("0102"));

  ASSERT_EQ(state({"backup", "web01", "-", "--key", key_}), 0) << err_.str();

  directory_.write("received", out_.str());
  EXPECT_EQ(load("file:" + path("received"), kPermanent, key_).value(), hex("0102"));
}

TEST_F(InstanceBackup, RestoredToAStoppedTpm_ReplacesItsState) {
  make("web01", file_);
  put(file_, kPermanent, hex("0f"));
  put(file_, BlobName{TpmVersion::tpm12, BlobKind::permanent}, hex("12"));
  put("file:" + backup_, kPermanent, hex("0102"));

  EXPECT_EQ(state({"restore", "web01", backup_, "--fresh-identity"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("vtpmctl start web01"));
  ASSERT_EQ(state({"restore", "web01", backup_, "--same-identity"}), 0) << err_.str();

  EXPECT_EQ(load(file_, kPermanent).value(), hex("0102"));
  EXPECT_EQ(load(file_, BlobName{TpmVersion::tpm12, BlobKind::permanent}).value(), hex("12"))
      << "the other version's stays";
}

TEST_F(InstanceBackup, RestoreThatWouldLoseWhatTheOtherVersionHas_ChangesNothing) {
  make("web01", dir_);
  put(dir_, kPermanent, hex("0f"));
  directory_.write("swtpm/tpm-00.permall", "damaged");
  put("file:" + backup_, kPermanent, hex("0102"));

  EXPECT_EQ(state({"restore", "web01", backup_, "--same-identity"}), 1);

  EXPECT_THAT(err_.str(), AllOf(HasSubstr("nothing was changed"),
                                HasSubstr("vtpmctl state import file:" + backup_ + " web01")));
  EXPECT_EQ(load(dir_, kPermanent).value(), hex("0f"));
  EXPECT_EQ(directory_.read("swtpm/tpm-00.permall"), "damaged");
}

TEST_F(InstanceBackup, CreatedFromAState_HasItAndWarnsOfTheOtherOne) {
  put(dir_, kPermanent, hex("0102"));
  std::filesystem::create_directories(path("lib/web05"));  // as vtpmd makes it

  ASSERT_EQ(run({"create", "web05", "--from", dir_.c_str()}), 0) << err_.str();

  EXPECT_EQ(load("file:" + path("lib/web05/state"), kPermanent).value(), hex("0102"));
  EXPECT_THAT(err_.str(), HasSubstr("still works"));
}

TEST_F(InstanceBackup, CreatedFromNothing_IsNotMade) {
  EXPECT_EQ(run({"create", "web05", "--from", dir_.c_str()}), 1);

  EXPECT_FALSE(std::filesystem::exists(path("etc/web05.toml")));
}

TEST_F(InstanceBackup, CreatedFromAState_ReplacesNone) {
  std::filesystem::create_directories(path("lib/web05"));
  put("file:" + path("lib/web05/state"), kPermanent, hex("0f"));
  put(dir_, kPermanent, hex("0102"));

  EXPECT_EQ(run({"create", "web05", "--from", dir_.c_str()}), 1);
  EXPECT_EQ(load("file:" + path("lib/web05/state"), kPermanent).value(), hex("0f"));
}

// -- Places --

TEST_F(StorageVerb, PlaceWithoutItsFormat_IsToldWithIt) {
  directory_.write("state", "");
  EXPECT_EQ(state({"inspect", path("state")}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("file:" + path("state")));
  EXPECT_EQ(state({"inspect", "file:" + directory_.path()}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("dir:" + directory_.path()));
}

}  // namespace
}  // namespace vtpm
