// What the parts of a `file:` state say of each other: a slot that is lost is told, and no older
// part is taken for one of this state. And files of format version 1, which say none of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/file_faults.h"
#include "tests/support/file_store_operations.h"
#include "tests/support/must.h"
#include "tests/support/power_cut.h"
#include "tests/support/state_file_v1.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr BlobName kPermanent12{TpmVersion::tpm12, BlobKind::permanent};
constexpr BlobName kSavestate{TpmVersion::tpm12, BlobKind::savestate};

class FileStoreParts : public testing::TestWithParam<char> {
 protected:
  std::unique_ptr<FileStore> open() {
    FileStoreOptions options;
    options.key = test_key(GetParam());
    options.tell = [this](const std::string& text) { told_.push_back(text); };
    auto store = FileStore::open(path_, std::move(options)).value();
    must(store->lock());
    return store;
  }
  void store(BlobName name, const std::string& word) { must(open()->store(name, blob_of(word))); }
  [[nodiscard]] Bytes slot(BlobName name, size_t which) const {
    return DiskImage::of(path_).read(slot_offset(blob_number(name), which), kSlotSize);
  }
  void put(BlobName name, size_t which, ByteView bytes) {
    DiskImage image = DiskImage::of(path_);
    image.write(slot_offset(blob_number(name), which), bytes);
    image.write_to(path_);
  }
  size_t newest(BlobName name) {
    auto file = StorageFile::open(path_, StorageFile::Access::read, CreateState::never).value();
    uint32_t epoch = scan_header(file).value().header.epoch;
    return *scan_blob(file, blob_number(name), epoch).newest;
  }

  FileFaults nothing_is_slow_;
  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "state";
  std::vector<std::string> told_;
};

INSTANTIATE_TEST_SUITE_P(Keys, FileStoreParts, testing::Values('-', 'k'));

TEST_P(FileStoreParts, NewestSlotZeroed_IsToldAndTheOtherCounts) {
  store(kSubject, "old");
  store(kSubject, "new");
  put(kSubject, newest(kSubject), Bytes(kSlotHeader));

  EXPECT_EQ(open()->load(kSubject).value(), blob_of("old"));
  EXPECT_THAT(told_, ElementsAre(HasSubstr("is gone")));
}

TEST_P(FileStoreParts, NewestSlotZeroedAfterTheOnlyStore_IsToldAndNothingIsLost) {
  store(kSubject, "only");
  put(kSubject, newest(kSubject), Bytes(kSlotHeader));

  EXPECT_EQ(open()->load(kSubject).value(), blob_of("only"));
  EXPECT_THAT(told_, ElementsAre(HasSubstr("is gone")));
}

TEST_P(FileStoreParts, NewestSlotZeroedAfterARekey_IsTold) {
  store(kSubject, "old");
  must(open()->rekey(test_key(GetParam())));
  store(kSubject, "new");
  put(kSubject, newest(kSubject), Bytes(kSlotHeader));

  EXPECT_EQ(open()->load(kSubject).value(), blob_of("old"));
  EXPECT_THAT(told_, ElementsAre(HasSubstr("is gone")));
}

TEST_P(FileStoreParts, StoredOnce_BothSlotsHaveTheirSpace) {
  store(kSubject, "only");
  DiskImage before = DiskImage::of(path_);

  EXPECT_EQ(before.size(), kStateFileSize);
  EXPECT_NE(slot(kSubject, 0), Bytes(kSlotSize));
  EXPECT_NE(slot(kSubject, 1), Bytes(kSlotSize));
}

TEST_P(FileStoreParts, Removed_EitherSlotZeroed_StaysRemoved) {
  store(kSubject, "permanent");
  store(kOther, "removed");
  must(open()->remove(kOther));
  for (size_t which : {0U, 1U}) {
    Bytes before = slot(kOther, which);
    put(kOther, which, Bytes(kSlotHeader));

    EXPECT_EQ(open()->load(kOther).error().code, Errc::not_found) << which;
    put(kOther, which, before);
  }
}

TEST_P(FileStoreParts, Removed_NothingOfItIsLeft) {
  store(kSubject, "permanent");
  must(open()->store(kOther, blob_of("long", 5000)));
  store(kOther, "short");
  must(open()->remove(kOther));

  for (size_t which : {0U, 1U}) {
    EXPECT_TRUE(is_zero(ByteView(slot(kOther, which)).subspan(kSlotHeader))) << which;
  }
}

TEST_P(FileStoreParts, RemovedAndPutBackBesideANewerPermanentState_IsRefused) {
  store(kSubject, "permanent");
  store(kOther, "removed");
  Bytes kept = slot(kOther, 1);
  must(open()->remove(kOther));
  store(kSubject, "newer");
  put(kOther, 0, Bytes(kSlotSize));
  put(kOther, 1, kept);

  auto loaded = open()->load(kOther);

  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, Errc::corrupt);
  EXPECT_THAT(loaded.error().message, HasSubstr("older than the permanent state allows"));
}

TEST_P(FileStoreParts, SavestatePutBackBesideANewerPermanentState_IsRefused) {
  store(kPermanent12, "permanent");
  store(kSavestate, "used");
  Bytes kept = slot(kSavestate, 1);
  must(open()->remove(kSavestate));
  store(kPermanent12, "newer");
  put(kSavestate, 0, Bytes(kSlotSize));
  put(kSavestate, 1, kept);

  EXPECT_EQ(open()->load(kSavestate).error().code, Errc::corrupt);
}

TEST_P(FileStoreParts, PermanentStateBeforeAVolatileOne_IsNotTakenBesideIt) {
  store(kSubject, "old");
  store(kSubject, "new");
  store(kOther, "volatile");
  put(kSubject, newest(kSubject), Bytes(kSlotHeader));

  auto loaded = open()->load(kOther);

  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().message, HasSubstr("the permanent state that it goes with is lost"));
}

TEST_P(FileStoreParts, VolatileStateStoredBesideAnOlderPermanentOne_GoesWithThatOne) {
  store(kSubject, "old");
  store(kSubject, "new");
  store(kOther, "volatile");
  put(kSubject, newest(kSubject), Bytes(kSlotHeader));

  store(kOther, "stored since");

  EXPECT_EQ(open()->load(kOther).value(), blob_of("stored since"));
  EXPECT_EQ(open()->load(kSubject).value(), blob_of("old"));
}

// A machine is started from stored volatile state again and again, whatever it stored since.
TEST_P(FileStoreParts, VolatileStateThatWasNotRemoved_StaysWhileThePermanentStateGoesOn) {
  store(kSubject, "old");
  store(kOther, "volatile");
  store(kSubject, "new");
  store(kSubject, "newer");

  EXPECT_EQ(open()->load(kOther).value(), blob_of("volatile"));
  EXPECT_THAT(told_, IsEmpty());
}

// -- Version 1 --

class FileStoreOfVersion1 : public FileStoreParts {
 protected:
  FileStoreOfVersion1() {
    StateFileOfVersion1 file(test_key(GetParam()));
    file.put(kSubject, 0, 7, blob_of("old"));
    file.put(kSubject, 1, 6, blob_of("older"));
    file.put(kOther, 0, 1, blob_of("other"));
    file.write_to(path_);
  }

  StateFileHeader header() {
    auto file = StorageFile::open(path_, StorageFile::Access::read, CreateState::never).value();
    return scan_header(file).value().header;
  }
};

INSTANTIATE_TEST_SUITE_P(Keys, FileStoreOfVersion1, testing::Values('-', 'k'));

TEST_P(FileStoreOfVersion1, IsLoadedAndLeftAsItIs) {
  std::string before = directory_.read("state");

  EXPECT_EQ(open()->load(kSubject).value(), blob_of("old"));
  EXPECT_EQ(open()->load(kOther).value(), blob_of("other"));
  EXPECT_EQ(directory_.read("state"), before);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_P(FileStoreOfVersion1, WithTheFirstStore_BecomesVersion2UnderAnEpochOfItsOwn) {
  store(kSubject, "new");

  EXPECT_EQ(header().version, 2);
  EXPECT_EQ(header().oldest_reader, 2);
  EXPECT_NE(header().epoch, kEpochOfVersion1);
  EXPECT_EQ(open()->load(kSubject).value(), blob_of("new"));
  EXPECT_EQ(open()->load(kOther).value(), blob_of("other"));
  EXPECT_THAT(told_, IsEmpty());
}

TEST_P(FileStoreOfVersion1, InterruptedAtEveryPoint_LosesNothing) {
  DiskImage before = DiskImage::of(path_);
  std::vector<FileChange> changes;
  {
    auto process = open();
    size_t first = nothing_is_slow_.changes().size();
    must(process->store(kSubject, blob_of("new")));
    auto all = std::span(nothing_is_slow_.changes()).subspan(first);
    changes.assign(all.begin(), all.end());
  }
  for (size_t made = 0; made <= changes.size(); ++made) {
    SCOPED_TRACE("power lost behind change " + std::to_string(made));
    DiskImage image = before;
    std::ranges::for_each(std::span(changes).first(made),
                          [&](const FileChange& change) { image.apply(change); });
    image.write_to(path_);

    EXPECT_EQ(open()->load(kOther).value(), blob_of("other"));
    store(kSubject, "next");
    EXPECT_EQ(open()->load(kSubject).value(), blob_of("next"));
  }
}

// As a TPM of the other version does, whose state is of no interest to this one.
TEST_P(FileStoreOfVersion1, WithABlobThatIsDamaged_TheOthersAreStoredAndThatStaysDamaged) {
  put(kOther, 0, as_bytes("damage"));

  store(kSubject, "new");

  EXPECT_EQ(open()->load(kSubject).value(), blob_of("new"));
  EXPECT_EQ(open()->load(kOther).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace vtpm
