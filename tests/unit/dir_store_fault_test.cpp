// Every store operation with a fault at its first system call, its second, ... until none is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "engine/state/swtpm/dir_store.h"
#include "tests/support/file_faults.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Eq;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
constexpr int kMostCalls = 50;

// What one attempt with a fault at `point` came to.
struct Attempt {
  int point;
  Result<void> outcome;
  Result<Bytes> afterwards;  // what a process that starts then finds
  bool leftover;
};

Attempt store_with_fault(int point, int error_number) {
  TemporaryDirectory directory;
  auto store = DirStore::open(directory.path(), CreateState::never).value();
  must(store->store(kPermanent, as_bytes("old")));
  Result<void> outcome;
  {
    FileFaults faults(point, error_number);
    outcome = store->store(kPermanent, as_bytes("new"));
    point = faults.happened() ? point : 0;
  }
  auto reopened = DirStore::open(directory.path(), CreateState::never).value();
  return {point, outcome, reopened->load(kPermanent),
          std::filesystem::exists(directory / "TMP2-00.permall")};
}

std::vector<Attempt> store_with_fault_at_every_point(int error_number) {
  std::vector<Attempt> attempts;
  for (int point = 1; point < kMostCalls; ++point) {
    Attempt attempt = store_with_fault(point, error_number);
    if (attempt.point == 0) {
      break;  // none left
    }
    attempts.push_back(std::move(attempt));
  }
  return attempts;
}

class DirStoreFault : public testing::TestWithParam<int> {};

TEST_P(DirStoreFault, AtEveryPoint_IsReportedWithItsReason) {
  std::string reason = std::system_category().message(GetParam());

  for (const Attempt& attempt : store_with_fault_at_every_point(GetParam())) {
    ASSERT_FALSE(attempt.outcome.has_value()) << "fault at call " << attempt.point;
    EXPECT_THAT(attempt.outcome.error().message, HasSubstr(reason));
    EXPECT_THAT(attempt.outcome.error().message, HasSubstr("tpm2-00.permall"));
  }
}

TEST_P(DirStoreFault, AtEveryPoint_LeavesTheOldOrTheNewBlobWhole) {
  for (const Attempt& attempt : store_with_fault_at_every_point(GetParam())) {
    ASSERT_TRUE(attempt.afterwards.has_value()) << "fault at call " << attempt.point;
    EXPECT_THAT(*attempt.afterwards, AnyOf(Eq(to_bytes("old")), Eq(to_bytes("new"))));
  }
}

TEST_P(DirStoreFault, AtEveryPoint_LeavesNothingHalfWritten) {
  for (const Attempt& attempt : store_with_fault_at_every_point(GetParam())) {
    EXPECT_FALSE(attempt.leftover) << "fault at call " << attempt.point;
  }
}

TEST_P(DirStoreFault, EveryCallOfAStore_WasTried) {
  EXPECT_EQ(store_with_fault_at_every_point(GetParam()).size(), 5u);
}

INSTANTIATE_TEST_SUITE_P(Errors, DirStoreFault, testing::Values(ENOSPC, EIO, EDQUOT));

class DirStoreFaults : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::unique_ptr<DirStore> store_ = DirStore::open(directory_.path(), CreateState::never).value();
};

TEST_F(DirStoreFaults, AfterAFault_TheNextStoreSucceeds) {
  {
    FileFaults faults(2, ENOSPC);
    ASSERT_FALSE(store_->store(kPermanent, as_bytes("first")).has_value());
  }

  EXPECT_TRUE(store_->store(kPermanent, as_bytes("second")).has_value());
  EXPECT_EQ(store_->load(kPermanent).value(), to_bytes("second"));
}

TEST_F(DirStoreFaults, ShortWrites_AreCompleted) {
  Bytes blob(100, std::byte{0x5a});
  {
    FileFaults faults;
    faults.cut_writes(7);
    ASSERT_TRUE(store_->store(kPermanent, blob).has_value());
  }

  EXPECT_EQ(store_->load(kPermanent).value(), blob);
}

TEST_F(DirStoreFaults, InterruptedWrite_IsTakenUpAgain) {
  {
    FileFaults faults(2, EINTR);
    ASSERT_TRUE(store_->store(kPermanent, as_bytes("state")).has_value());
    ASSERT_TRUE(faults.happened());
  }

  EXPECT_EQ(store_->load(kPermanent).value(), to_bytes("state"));
}

TEST_F(DirStoreFaults, InterruptedRead_IsTakenUpAgain) {
  must(store_->store(kPermanent, as_bytes("state")));
  FileFaults faults(2, EINTR);

  EXPECT_EQ(store_->load(kPermanent).value(), to_bytes("state"));
  EXPECT_TRUE(faults.happened());
}

// Neither may be taken for "not there": a new TPM would be made over the old one.
TEST_F(DirStoreFaults, FailedOpenAtLoad_IsAnIoErrorWithItsReason) {
  must(store_->store(kPermanent, as_bytes("state")));
  FileFaults faults(1, EIO);

  auto blob = store_->load(kPermanent);

  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::io);
  EXPECT_THAT(blob.error().message, HasSubstr("Input/output error"));
}

TEST_F(DirStoreFaults, FailedReadAtLoad_IsAnIoErrorWithItsReason) {
  must(store_->store(kPermanent, as_bytes("state")));
  FileFaults faults(2, EIO);

  auto blob = store_->load(kPermanent);

  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::io);
  EXPECT_THAT(blob.error().message, HasSubstr("Input/output error"));
}

// A socket in the file's place, a device that went away, a server that forgot the file.
TEST_F(DirStoreFaults, FileThatIsThereAndFails_IsNeverNotThere) {
  must(store_->store(kPermanent, as_bytes("state")));
  for (auto [point, reason] : {std::pair{1, ENXIO}, {1, ENODEV}, {2, ENXIO}, {2, ENOENT}}) {
    FileFaults faults(point, reason);

    auto blob = store_->load(kPermanent);

    ASSERT_FALSE(blob.has_value());
    EXPECT_EQ(blob.error().code, Errc::io) << "fault at call " << point;
    EXPECT_THAT(blob.error().message, HasSubstr(std::system_category().message(reason)));
  }
}

TEST_F(DirStoreFaults, RemoveThatIsNotDurable_IsReported) {
  must(store_->store(kPermanent, as_bytes("state")));
  FileFaults faults(1, EIO);

  auto removed = store_->remove(kPermanent);

  ASSERT_FALSE(removed.has_value());
  EXPECT_THAT(removed.error().message, HasSubstr("Input/output error"));
}

// The kernel takes the directory for written when its fsync has failed: it is changed again.
TEST_F(DirStoreFaults, RemovedAgainAfterOneThatWasNotDurable_TheDirectoryIsWrittenAnew) {
  must(store_->store(kPermanent, as_bytes("state")));
  {
    FileFaults faults(1, EIO);
    ASSERT_FALSE(store_->remove(kPermanent).has_value());
  }
  FileFaults watch;

  must(store_->remove(kPermanent));

  EXPECT_THAT(watch.calls(), ElementsAre("openat", "fsync"));
  EXPECT_THAT(watch.directory_changes(),
              Contains(Field(&DirectoryChange::kind, DirectoryChange::Kind::unlink)));
}

TEST_F(DirStoreFaults, RemoveOfWhatIsKnownNotToBeThere_CostsNothing) {
  must(store_->store(kPermanent, as_bytes("state")));
  must(store_->remove(kPermanent));
  FileFaults watch;

  must(store_->remove(kPermanent));

  EXPECT_THAT(watch.calls(), IsEmpty());
}

TEST_F(DirStoreFaults, LockFileThatCannotBeOpened_IsReported) {
  FileFaults faults(1, EROFS);

  auto locked = store_->lock();

  ASSERT_FALSE(locked.has_value());
  EXPECT_THAT(locked.error().message, HasSubstr("Read-only file system"));
}

TEST_F(DirStoreFaults, NumberThatCannotBeWrittenIntoTheLockFile_DoesNotMatter) {
  FileFaults faults(2, ENOSPC);

  EXPECT_TRUE(store_->lock().has_value());
  EXPECT_TRUE(faults.happened());
}

TEST_F(DirStoreFaults, NewDirectoryThatIsNotDurable_IsReported) {
  FileFaults faults(1, EIO);

  auto made = DirStore::open(directory_ / "new", CreateState::if_missing);

  ASSERT_FALSE(made.has_value());
  EXPECT_THAT(made.error().message, HasSubstr("Input/output error"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "new")) << "the next try believes it";
}

}  // namespace
}  // namespace vtpm
