#include "engine/state/file/file_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <limits>

#include "tests/support/file_faults.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
constexpr BlobName kVolatile{TpmVersion::tpm20, BlobKind::volatile_state};
constexpr BlobName kPermanent12{TpmVersion::tpm12, BlobKind::permanent};

SealingKey key_of(char filler) {
  return {KeyKind::raw, Secret(Bytes(32, static_cast<std::byte>(filler)))};
}

SealingKey passphrase(std::string_view words) {
  return {KeyKind::passphrase, Secret(as_bytes(words))};
}

class FileStoreTest : public testing::Test {
 protected:
  std::unique_ptr<FileStore> open(SealingKey key = {}) {
    FileStoreOptions options;
    options.key = std::move(key);
    options.tell = [this](const std::string& text) { told_.push_back(text); };
    return FileStore::open(path_, std::move(options)).value();
  }
  static FileStoreOptions options_for_reading() {
    FileStoreOptions options;
    options.access = StorageFile::Access::read;
    return options;
  }
  // As a process does that serves.
  std::unique_ptr<FileStore> open_and_lock(SealingKey key = {}) {
    auto store = open(std::move(key));
    must(store->lock());
    return store;
  }
  void change(size_t offset, ByteView bytes) {
    std::string content = directory_.read("state");
    content.replace(offset, bytes.size(), reinterpret_cast<const char*>(bytes.data()),  // NOLINT
                    bytes.size());
    directory_.write("state", content);
  }
  void destroy_slot(size_t slot) { change(slot_offset(0, slot) + 40, as_bytes("damage")); }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "state";
  std::vector<std::string> told_;
};

TEST_F(FileStoreTest, MissingFile_IsMadeForItsOwnerAlone) {
  open();

  EXPECT_EQ(std::filesystem::status(path_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(FileStoreTest, MissingFileThatMayNotBeMade_IsNotFound) {
  auto opened = FileStore::open(path_, {.create = CreateState::never});

  EXPECT_EQ(opened.error().code, Errc::not_found);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(FileStoreTest, MissingDirectory_IsNotMade) {
  auto opened = FileStore::open(directory_ / "not/there", {});

  EXPECT_EQ(opened.error().code, Errc::not_found);
  EXPECT_THAT(opened.error().message, HasSubstr("Make or mount the directory"));
}

TEST_F(FileStoreTest, EmptyFile_HasNothingAndStaysEmpty) {
  EXPECT_EQ(open()->load(kPermanent).error().code, Errc::not_found);
  EXPECT_EQ(std::filesystem::file_size(path_), 0u);
}

TEST_F(FileStoreTest, WhatWasStored_IsLoadedByTheNextProcess) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));

  EXPECT_EQ(open_and_lock()->load(kPermanent).value(), to_bytes("state"));
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(FileStoreTest, BlobsOfBothVersions_AreKeptApart) {
  auto store = open_and_lock();
  must(store->store(kPermanent, as_bytes("of a TPM 2.0")));
  must(store->store(kVolatile, as_bytes("volatile")));
  must(store->store(kPermanent12, as_bytes("of a TPM 1.2")));

  EXPECT_EQ(store->load(kPermanent).value(), to_bytes("of a TPM 2.0"));
  EXPECT_EQ(store->load(kVolatile).value(), to_bytes("volatile"));
  EXPECT_EQ(store->load(kPermanent12).value(), to_bytes("of a TPM 1.2"));
}

TEST_F(FileStoreTest, StoreManyTimes_KeepsTheLast) {
  auto store = open_and_lock();
  for (size_t size = 100; size > 0; --size) {
    must(store->store(kPermanent, Bytes(size, static_cast<std::byte>(size))));
  }

  EXPECT_EQ(open()->load(kPermanent).value(), Bytes(1, std::byte{1}));
}

TEST_F(FileStoreTest, LargestBlob_IsLoadedWhole) {
  Bytes largest(kLargestData, std::byte{0x5a});
  must(open_and_lock()->store(kPermanent, largest));

  EXPECT_EQ(open()->load(kPermanent).value(), largest);
}

TEST_F(FileStoreTest, BlobThatIsTooLarge_IsRefusedAndChangesNothing) {
  auto store = open_and_lock();
  must(store->store(kPermanent, as_bytes("state")));

  EXPECT_EQ(store->store(kPermanent, Bytes(kLargestData + 1)).error().code, Errc::invalid);
  EXPECT_EQ(store->load(kPermanent).value(), to_bytes("state"));
}

TEST_F(FileStoreTest, InSteadyState_AStoreIsOneWriteAndOneSync) {
  auto store = open_and_lock();
  must(store->store(kPermanent, as_bytes("first")));
  must(store->store(kPermanent, as_bytes("second")));
  FileFaults watch;

  must(store->store(kPermanent, as_bytes("a longer third")));

  EXPECT_THAT(watch.calls(), ElementsAre("pwrite", "fdatasync"));
}

TEST_F(FileStoreTest, WithoutSync_AStoreIsOneWrite) {
  auto store = FileStore::open(path_, {.sync = Sync::none}).value();
  must(store->lock());
  must(store->store(kPermanent, as_bytes("first")));
  FileFaults watch;

  must(store->store(kPermanent, as_bytes("second")));

  EXPECT_THAT(watch.calls(), ElementsAre("pwrite"));
}

TEST_F(FileStoreTest, Remove_IsRemembered) {
  auto store = open_and_lock();
  must(store->store(kVolatile, as_bytes("volatile")));

  must(store->remove(kVolatile));

  EXPECT_EQ(open()->load(kVolatile).error().code, Errc::not_found);
}

TEST_F(FileStoreTest, StoreAfterRemove_IsThereAgain) {
  auto store = open_and_lock();
  must(store->store(kVolatile, as_bytes("first")));
  must(store->remove(kVolatile));

  must(store->store(kVolatile, as_bytes("second")));

  EXPECT_EQ(open()->load(kVolatile).value(), to_bytes("second"));
}

TEST_F(FileStoreTest, RemoveOfWhatIsNotThere_WritesNothing) {
  auto store = open_and_lock();
  must(store->store(kPermanent, as_bytes("state")));
  std::string before = directory_.read("state");

  EXPECT_TRUE(store->remove(kVolatile).has_value());
  EXPECT_EQ(directory_.read("state"), before);
}

// -- Damage --

TEST_F(FileStoreTest, NewestSlotDamaged_GoesOnFromTheOtherAndSaysSo) {
  {
    auto store = open_and_lock();
    must(store->store(kPermanent, as_bytes("first")));
    must(store->store(kPermanent, as_bytes("second")));
  }
  destroy_slot(0);

  EXPECT_EQ(open()->load(kPermanent).value(), to_bytes("first"));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_THAT(told_[0], HasSubstr("checksum does not fit"));
  EXPECT_THAT(told_[0], HasSubstr("number 2"));
}

TEST_F(FileStoreTest, AfterAFallback_TheNextStoreIsTheNewest) {
  {
    auto store = open_and_lock();
    must(store->store(kPermanent, as_bytes("first")));
    must(store->store(kPermanent, as_bytes("second")));
  }
  destroy_slot(0);

  must(open_and_lock()->store(kPermanent, as_bytes("third")));

  EXPECT_EQ(open()->load(kPermanent).value(), to_bytes("third"));
}

TEST_F(FileStoreTest, BothSlotsDamaged_IsCorruptAndNeverNotFound) {
  {
    auto store = open_and_lock();
    must(store->store(kPermanent, as_bytes("first")));
    must(store->store(kPermanent, as_bytes("second")));
  }
  destroy_slot(0);
  destroy_slot(1);

  auto loaded = open()->load(kPermanent);

  EXPECT_EQ(loaded.error().code, Errc::corrupt);
  EXPECT_THAT(loaded.error().message, HasSubstr("permanent state of a TPM 2.0"));
}

TEST_F(FileStoreTest, StoredBlobThatWasZeroed_IsCorruptAndNeverNotFound) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  change(slot_offset(0, 0), Bytes(200));
  change(slot_offset(0, 1), Bytes(200));

  EXPECT_EQ(open()->load(kPermanent).error().code, Errc::corrupt);
}

TEST_F(FileStoreTest, FileCutOff_IsCorruptAndNeverNotFound) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  std::filesystem::resize_file(path_, kFirstSlot + 50);

  EXPECT_EQ(open()->load(kPermanent).error().code, Errc::corrupt);
}

TEST_F(FileStoreTest, OneHeaderDamaged_IsMadeGoodByTheOther) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  change(20, as_bytes("damage"));

  EXPECT_EQ(open()->load(kPermanent).value(), to_bytes("state"));
}

TEST_F(FileStoreTest, BothHeadersDamaged_IsCorrupt) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  change(20, as_bytes("damage"));
  change(kHeaderCopy + 20, as_bytes("damage"));

  EXPECT_EQ(open()->load(kPermanent).error().code, Errc::corrupt);
}

TEST_F(FileStoreTest, GivenState_ReplacesOneThatCannotBeRead) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  change(20, as_bytes("damage"));
  change(kHeaderCopy + 20, as_bytes("damage"));

  must(open_and_lock()->store(kPermanent, as_bytes("from a backup")));

  EXPECT_EQ(open()->load(kPermanent).value(), to_bytes("from a backup"));
}

TEST_F(FileStoreTest, VolatileState_ReplacesNothingThatCannotBeRead) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  change(20, as_bytes("damage"));
  change(kHeaderCopy + 20, as_bytes("damage"));
  std::string before = directory_.read("state");

  EXPECT_EQ(open_and_lock()->store(kVolatile, as_bytes("x")).error().code, Errc::corrupt);
  EXPECT_EQ(directory_.read("state"), before);
}

TEST_F(FileStoreTest, BlankFileThatOthersMayRead_IsClosedToThemBeforeATpmIsInIt) {
  directory_.write("state", "");
  std::filesystem::permissions(directory_ / "state", std::filesystem::perms(0666));

  must(open_and_lock()->store(kPermanent, hex("01")));

  EXPECT_EQ(std::filesystem::status(directory_ / "state").permissions(),
            std::filesystem::perms(0600));
}

TEST_F(FileStoreTest, FileWithATpmThatOthersMayRead_KeepsTheModeThatItWasGiven) {
  must(open_and_lock()->store(kPermanent, hex("01")));
  std::filesystem::permissions(directory_ / "state", std::filesystem::perms(0640));

  must(open_and_lock()->store(kPermanent, hex("02")));

  EXPECT_EQ(std::filesystem::status(directory_ / "state").permissions(),
            std::filesystem::perms(0640));
}

TEST_F(FileStoreTest, SomethingElse_IsRefusedAndNeverTouched) {
  directory_.write("state", "a letter to a friend");
  auto store = open_and_lock();

  EXPECT_EQ(store->load(kPermanent).error().code, Errc::invalid);
  EXPECT_EQ(store->store(kPermanent, as_bytes("state")).error().code, Errc::invalid);
  EXPECT_EQ(directory_.read("state"), "a letter to a friend");
}

TEST_F(FileStoreTest, SwtpmsLinearFile_IsRefusedAndNeverTouched) {
  std::string linear = "nilmptws" + std::string(2000, 'x');
  directory_.write("state", linear);
  auto store = open_and_lock();

  EXPECT_EQ(store->store(kPermanent, as_bytes("state")).error().code, Errc::invalid);
  EXPECT_EQ(directory_.read("state"), linear);
}

TEST_F(FileStoreTest, NewerFormat_IsRefusedAndNeverTouched) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  StateFileHeader header = decode_header(as_bytes(directory_.read("state"))).value();
  Bytes newer = encode_header(header, {}).value();
  newer.at(11) = std::byte{3};
  std::ranges::copy(sha256(ByteView(newer).first(100)).value(), newer.begin() + 100);
  change(0, newer);
  change(kHeaderCopy, newer);
  std::string before = directory_.read("state");
  auto store = open_and_lock();

  EXPECT_EQ(store->load(kPermanent).error().code, Errc::unsupported);
  EXPECT_EQ(store->store(kPermanent, as_bytes("x")).error().code, Errc::unsupported);
  EXPECT_EQ(directory_.read("state"), before);
}

TEST_F(FileStoreTest, NumberThatNoneIsAbove_RefusesWhatWouldBeTheOlderState) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  StateFileHeader header = decode_header(as_bytes(directory_.read("state"))).value();
  Slot forged{.epoch = header.epoch, .sequence = std::numeric_limits<uint64_t>::max(), .length = 6};
  change(slot_offset(0, 1), encode_slot(forged, as_bytes("forged"), {}).value());

  auto stored = open_and_lock()->store(kPermanent, as_bytes("next"));

  ASSERT_FALSE(stored.has_value());
  EXPECT_EQ(stored.error().code, Errc::corrupt);
}

TEST_F(FileStoreTest, LinkToAFile_IsRefused) {
  directory_.write("elsewhere", "");
  std::filesystem::create_symlink(directory_ / "elsewhere", path_);

  EXPECT_EQ(FileStore::open(path_, {}).error().code, Errc::invalid);
}

TEST_F(FileStoreTest, Fifo_IsRefusedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);

  EXPECT_EQ(FileStore::open(path_, {}).error().code, Errc::invalid);
}

TEST_F(FileStoreTest, FileRemovedWhileInUse_IsNotWrittenAnyMore) {
  auto store = open_and_lock();
  must(store->store(kPermanent, as_bytes("first")));
  std::filesystem::remove(path_);

  auto stored = store->store(kPermanent, as_bytes("second"));

  EXPECT_EQ(stored.error().code, Errc::io);
  EXPECT_THAT(stored.error().message, HasSubstr("was removed or replaced"));
}

// -- Keys --

TEST_F(FileStoreTest, Sealed_IsLoadedWithItsKey) {
  must(open_and_lock(key_of('k'))->store(kPermanent, as_bytes("state")));

  EXPECT_EQ(open(key_of('k'))->load(kPermanent).value(), to_bytes("state"));
  EXPECT_EQ(directory_.read("state").find("state"), std::string::npos);
}

TEST_F(FileStoreTest, SealedWithAPassphrase_IsLoadedWithIt) {
  must(open_and_lock(passphrase("several words"))->store(kPermanent, as_bytes("state")));

  EXPECT_EQ(open(passphrase("several words"))->load(kPermanent).value(), to_bytes("state"));
}

TEST_F(FileStoreTest, EqualStates_AreNeverSealedAlike) {
  auto store = open_and_lock(key_of('k'));
  must(store->store(kPermanent, as_bytes("state")));
  must(store->store(kPermanent, as_bytes("state")));
  std::string file = directory_.read("state");

  EXPECT_NE(file.substr(slot_offset(0, 0) + kSlotHeader, 5),
            file.substr(slot_offset(0, 1) + kSlotHeader, 5));
}

TEST_F(FileStoreTest, WrongMissingAndNeedlessKey_AreToldApart) {
  must(open_and_lock(key_of('k'))->store(kPermanent, as_bytes("state")));
  auto wrong = open(key_of('x'))->load(kPermanent);
  auto missing = open()->load(kPermanent);
  auto other_kind = open(passphrase("k"))->load(kPermanent);
  std::filesystem::remove(path_);
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  auto needless = open(key_of('k'))->load(kPermanent);

  EXPECT_THAT(wrong.error().message, HasSubstr("is wrong"));
  EXPECT_THAT(missing.error().message, HasSubstr("none was given"));
  EXPECT_THAT(other_kind.error().message, HasSubstr("sealed with a key, and a passphrase"));
  EXPECT_THAT(needless.error().message, HasSubstr("is not sealed, and a key was given"));
  for (const auto* refused : {&wrong, &missing, &other_kind, &needless}) {
    EXPECT_EQ(refused->error().code, Errc::denied);
  }
}

TEST_F(FileStoreTest, WrongKey_AGivenStateReplacesWhatItCannotRead) {
  must(open_and_lock(key_of('k'))->store(kPermanent, as_bytes("state")));

  must(open_and_lock(key_of('x'))->store(kPermanent, as_bytes("from a backup")));

  EXPECT_EQ(open(key_of('x'))->load(kPermanent).value(), to_bytes("from a backup"));
  EXPECT_EQ(open(key_of('k'))->load(kPermanent).error().code, Errc::denied);
}

TEST_F(FileStoreTest, SealedSlotPutBackFromAnEarlierFile_IsNotTaken) {
  must(open_and_lock(key_of('k'))->store(kPermanent, as_bytes("earlier")));
  std::string slot = directory_.read("state").substr(slot_offset(0, 0), 512);
  std::filesystem::remove(path_);
  must(open_and_lock(key_of('k'))->store(kPermanent, as_bytes("state")));
  change(slot_offset(0, 1), as_bytes(slot));

  EXPECT_EQ(open(key_of('k'))->load(kPermanent).value(), to_bytes("state"));
}

TEST_F(FileStoreTest, Rekey_ChangesTheKeyAndKeepsEveryBlob) {
  {
    auto store = open_and_lock(key_of('k'));
    must(store->store(kPermanent, as_bytes("permanent")));
    must(store->store(kVolatile, as_bytes("volatile")));
    must(store->store(kPermanent12, as_bytes("of a TPM 1.2")));
    must(store->rekey(passphrase("words")));
    must(store->store(kVolatile, as_bytes("later")));
  }
  auto store = open(passphrase("words"));

  EXPECT_EQ(store->load(kPermanent).value(), to_bytes("permanent"));
  EXPECT_EQ(store->load(kVolatile).value(), to_bytes("later"));
  EXPECT_EQ(store->load(kPermanent12).value(), to_bytes("of a TPM 1.2"));
  EXPECT_EQ(open(key_of('k'))->load(kPermanent).error().code, Errc::denied);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(FileStoreTest, RekeyToAKey_LeavesNothingOfThePlainState) {
  auto store = open_and_lock();
  must(store->store(kPermanent, Bytes(20000, std::byte{'s'})));
  must(store->store(kPermanent, Bytes(30000, std::byte{'s'})));
  must(store->store(kPermanent, as_bytes("a secret")));

  must(store->rekey(key_of('k')));

  std::string file = directory_.read("state");
  EXPECT_EQ(file.find("secret"), std::string::npos);
  EXPECT_EQ(file.find("ssssssss"), std::string::npos);
  EXPECT_EQ(open(key_of('k'))->load(kPermanent).value(), to_bytes("a secret"));
}

// From the call with that number on, until the change of the key is given up.
bool rekey_fails_from(FileStore& store, int call) {
  FileFaults faults([call, number = 0](std::string_view) mutable { return ++number >= call; });
  return !store.rekey(key_of('b')).has_value();
}

TEST_F(FileStoreTest, RekeyThatFailsAnywhere_LosesNothingWhenTheSameProcessGoesOn) {
  bool failed = true;
  for (int call = 1; failed; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    std::filesystem::remove(path_);
    auto store = open_and_lock();
    must(store->store(kPermanent, as_bytes("permanent")));
    must(store->store(kVolatile, as_bytes("volatile")));

    failed = rekey_fails_from(*store, call);
    auto stored = store->store(kPermanent, as_bytes("next"));

    EXPECT_TRUE(stored.has_value()) << stored.error().message;
    EXPECT_EQ(store->load(kPermanent).value_or(Bytes()), to_bytes("next"));
    EXPECT_EQ(store->load(kVolatile).value_or(Bytes()), to_bytes("volatile"));
  }
}

TEST_F(FileStoreTest, RekeyToNone_TakesTheSealAway) {
  auto store = open_and_lock(key_of('k'));
  must(store->store(kPermanent, as_bytes("state")));

  must(store->rekey({}));

  EXPECT_EQ(open()->load(kPermanent).value(), to_bytes("state"));
}

// -- Lock --

// A backup on a medium that cannot be written.
TEST_F(FileStoreTest, OpenedForReading_SharesWithReadersAndKeepsWritersOut) {
  must(open_and_lock()->store(kPermanent, as_bytes("state")));
  auto first = FileStore::open(path_, options_for_reading()).value();
  auto second = FileStore::open(path_, options_for_reading()).value();

  EXPECT_TRUE(first->lock().has_value());
  EXPECT_TRUE(second->lock().has_value());
  EXPECT_EQ(second->load(kPermanent).value(), to_bytes("state"));
  EXPECT_EQ(open()->lock().error().code, Errc::busy);
  EXPECT_FALSE(first->store(kPermanent, as_bytes("x")).has_value());
}

TEST_F(FileStoreTest, SecondStore_CannotHaveTheLock) {
  auto first = open_and_lock();

  auto second = open()->lock();

  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_THAT(second.error().message, HasSubstr(path_));
}

TEST_F(FileStoreTest, AfterUnlock_TheNextHasTheLockAndSeesWhatWasWritten) {
  auto first = open_and_lock();
  must(first->store(kPermanent, as_bytes("first")));
  first->unlock();
  auto second = open_and_lock();
  must(second->store(kPermanent, as_bytes("second")));
  second->unlock();

  must(first->lock());

  EXPECT_EQ(first->load(kPermanent).value(), to_bytes("second"));
}

TEST_F(FileStoreTest, LockTwice_IsNoError) {
  auto store = open_and_lock();

  EXPECT_TRUE(store->lock().has_value());
}

TEST_F(FileStoreTest, Describe_IsTheOptionThatOpensIt) {
  EXPECT_EQ(open()->describe(), "file:" + path_);
}

}  // namespace
}  // namespace vtpm
