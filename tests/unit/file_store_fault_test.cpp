// Every operation of the `file:` store with a fault at its first system call, its second, ... until
// none is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "tests/support/file_faults.h"
#include "tests/support/file_store_operations.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr int kMostCalls = 200;
// So that the many syncs of a test cost nothing.
using NoFaults = FileFaults;

// What one attempt with a fault at `point` came to.
struct Attempt {
  std::string where;  // "call 3 (pread)"; empty: there is no such point
  std::string path;
  Result<void> outcome;
  std::string afterwards;  // what a process that starts then finds, in words
  std::string other;
  Result<void> next;  // of the next store of the same object
  std::string after_next;
  std::string other_after_next;
};

std::string where(int point, const FileFaults& faults) {
  const std::string& call = faults.calls().at(static_cast<size_t>(point) - 1);
  return "call " + std::to_string(point) + " (" + call + ")";
}

Attempt attempt_at(int point, int error_number, const FileStoreOperation& operation) {
  TemporaryDirectory directory;
  std::string path = directory / "state";
  std::unique_ptr<FileStore> store;
  {
    NoFaults no_faults;
    operation.prepare(path, operation.key);
    store = open_file_store(path, operation.key);
    operation.warm_up(*store);
  }
  Attempt attempt;
  {
    FileFaults faults(point, error_number);
    attempt.outcome = operation.run(*store);
    attempt.where = faults.happened() ? where(point, faults) : "";
  }
  NoFaults no_faults;
  attempt.path = path;
  attempt.afterwards = find_in_file(path, operation, kSubject);
  attempt.other = find_in_file(path, operation, kOther);
  attempt.next = store->store(kSubject, blob_of("next"));
  attempt.after_next = find_in_file(path, operation, kSubject);
  attempt.other_after_next = find_in_file(path, operation, kOther);
  return attempt;
}

std::vector<Attempt> attempts_at_every_point(int error_number,
                                             const FileStoreOperation& operation) {
  std::vector<Attempt> attempts;
  for (int point = 1; point < kMostCalls; ++point) {
    Attempt attempt = attempt_at(point, error_number, operation);
    if (attempt.where.empty()) {
      break;  // none left
    }
    attempts.push_back(std::move(attempt));
  }
  return attempts;
}

std::span<const Attempt> those_that_count(const std::vector<Attempt>& attempts,
                                          const FileStoreOperation& operation) {
  return std::span(attempts).first(attempts.size() - operation.reserving_calls);
}

// The other blob of a file that was unreadable is refused until the file begins anew.
auto is_the_other_of(const FileStoreOperation& operation) {
  return AnyOf(operation.other, StartsWith(operation.before));
}

// ENXIO, ENOENT and EACCES are not what they are at an open: a device that went away, a server that
// forgot. Neither may be taken for "not there" or for a wrong key.
const std::vector kReasons = {ENOSPC, EIO, EDQUOT, ENXIO, ENOENT, EACCES};

class FileStoreFault : public testing::TestWithParam<FileStoreOperation> {
 protected:
  std::vector<Attempt> attempts_with_every_reason() {
    std::vector<Attempt> attempts;
    for (int reason : kReasons) {
      std::ranges::move(attempts_at_every_point(reason, GetParam()), std::back_inserter(attempts));
    }
    return attempts;
  }
};

INSTANTIATE_TEST_SUITE_P(Operations, FileStoreFault, testing::ValuesIn(file_store_operations()),
                         [](const auto& test) { return test.param.name; });

TEST_P(FileStoreFault, AtEveryPoint_IsAnIoErrorThatNamesReasonAndPath) {
  for (int reason : kReasons) {
    auto attempts = attempts_at_every_point(reason, GetParam());
    for (const Attempt& attempt : those_that_count(attempts, GetParam())) {
      SCOPED_TRACE(attempt.where);
      ASSERT_FALSE(attempt.outcome.has_value());
      EXPECT_EQ(attempt.outcome.error().code, Errc::io);
      EXPECT_THAT(attempt.outcome.error().message,
                  HasSubstr(std::system_category().message(reason)));
      EXPECT_THAT(attempt.outcome.error().message, HasSubstr(attempt.path));
    }
  }
}

TEST_P(FileStoreFault, AtEveryPoint_TheOldOrTheNewStateIsThere) {
  for (const Attempt& attempt : attempts_at_every_point(EIO, GetParam())) {
    SCOPED_TRACE(attempt.where);
    EXPECT_THAT(attempt.afterwards, AnyOf(StartsWith(GetParam().before), GetParam().after));
    EXPECT_THAT(attempt.other, AnyOf(GetParam().other, StartsWith("refused: ")));
    EXPECT_THAT(attempt.other, is_the_other_of(GetParam()));
  }
}

// A disk that is full has no space for the other slot; what is stored is stored.
TEST_P(FileStoreFault, WhereOnlySpaceIsReserved_CostsNothing) {
  auto attempts = attempts_at_every_point(ENOSPC, GetParam());

  for (const Attempt& attempt : std::span(attempts).last(GetParam().reserving_calls)) {
    SCOPED_TRACE(attempt.where);
    EXPECT_TRUE(attempt.outcome.has_value());
    EXPECT_EQ(attempt.afterwards, GetParam().after);
  }
}

TEST_P(FileStoreFault, AtEveryPoint_TheNextStoreWorksAndTouchesNothingElse) {
  for (const Attempt& attempt : attempts_with_every_reason()) {
    SCOPED_TRACE(attempt.where);
    ASSERT_TRUE(attempt.next.has_value()) << attempt.next.error().message;
    EXPECT_EQ(attempt.after_next, "next");
    EXPECT_EQ(attempt.other_after_next, GetParam().other);
  }
}

TEST_P(FileStoreFault, InterruptedAtEveryPoint_IsTakenUpAgain) {
  auto attempts = attempts_at_every_point(EINTR, GetParam());

  EXPECT_THAT(attempts, Not(IsEmpty()));
  for (const Attempt& attempt : attempts) {
    SCOPED_TRACE(attempt.where);
    ASSERT_TRUE(attempt.outcome.has_value()) << attempt.outcome.error().message;
    EXPECT_EQ(attempt.afterwards, GetParam().after);
  }
}

TEST_P(FileStoreFault, ShortReadsAndWrites_AreCompleted) {
  TemporaryDirectory directory;
  std::string path = directory / "state";
  FileFaults faults;
  GetParam().prepare(path, GetParam().key);
  faults.cut_writes(1001);

  must(GetParam().run(*open_file_store(path, GetParam().key)));

  EXPECT_EQ(find_in_file(path, GetParam(), kSubject), GetParam().after);
  EXPECT_EQ(find_in_file(path, GetParam(), kOther), GetParam().other);
}

// -- Load --

class FileStoreFaults : public testing::TestWithParam<char> {
 protected:
  // The fault strikes a new process' load of what was committed twice.
  Result<Bytes> load_with_fault(int point, int error_number) {
    FileStoreOptions options;
    options.key = test_key(GetParam());
    auto store = FileStore::open(path_, std::move(options)).value();
    FileFaults faults(point, error_number);
    auto loaded = store->load(kSubject);
    happened_ = faults.happened();
    return loaded;
  }

  void SetUp() override {
    NoFaults no_faults;
    auto store = open_file_store(path_, GetParam());
    must(store->store(kSubject, as_bytes("old")));
    must(store->store(kSubject, as_bytes("state")));
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "state";
  bool happened_ = true;
};

INSTANTIATE_TEST_SUITE_P(Keys, FileStoreFaults, testing::Values('-', 'k'));

// The newest state may be behind what cannot be read: the one before it is no answer.
TEST_P(FileStoreFaults, FailedReadAtLoad_IsReportedAndNeverNotThere) {
  for (int reason : kReasons) {
    for (int point = 1; load_with_fault(point, reason), happened_; ++point) {
      auto loaded = load_with_fault(point, reason);
      ASSERT_FALSE(loaded.has_value()) << "fault at call " << point;
      EXPECT_EQ(loaded.error().code, Errc::io);
      EXPECT_THAT(loaded.error().message, HasSubstr(std::system_category().message(reason)));
      EXPECT_THAT(loaded.error().message, HasSubstr(path_));
    }
  }
}

TEST_P(FileStoreFaults, InterruptedRead_IsTakenUpAgain) {
  for (int point = 1; happened_; ++point) {
    EXPECT_EQ(load_with_fault(point, EINTR).value(), to_bytes("state"))
        << "fault at call " << point;
  }
}

// -- Open --

// Made, its name made durable: that is two calls more behind the first, which finds that there is
// none.
TEST_P(FileStoreFaults, FileThatCannotBeMade_IsReported) {
  for (int point : {2, 3, 4}) {
    TemporaryDirectory empty;
    FileFaults faults(point, ENOSPC);

    auto opened = FileStore::open(empty / "state", {});

    ASSERT_FALSE(opened.has_value()) << "fault at call " << point;
    EXPECT_THAT(opened.error().message, HasSubstr("No space left on device"));
    EXPECT_THAT(opened.error().message, HasSubstr(empty / "state"));
  }
}

TEST_P(FileStoreFaults, FileThatCannotBeOpened_IsReportedAndNotTakenForMissing) {
  for (int reason : {EIO, EACCES, EROFS}) {
    FileFaults faults(1, reason);

    auto opened = FileStore::open(path_, {});

    ASSERT_FALSE(opened.has_value());
    EXPECT_NE(opened.error().code, Errc::not_found);
    EXPECT_THAT(opened.error().message, HasSubstr(std::system_category().message(reason)));
  }
}

TEST_P(FileStoreFaults, InterruptedOpen_IsTakenUpAgain) {
  for (int point : {1, 2, 3, 4}) {
    TemporaryDirectory empty;
    FileFaults faults(point, EINTR);

    EXPECT_TRUE(FileStore::open(empty / "state", {}).has_value()) << "fault at call " << point;
  }
}

// Whoever made the file, and was ended before its name was durable, is not asked.
TEST_P(FileStoreFaults, EmptyFile_ItsNameIsMadeDurable) {
  TemporaryDirectory empty;
  empty.write("state", "");
  FileFaults watch;

  auto opened = FileStore::open(empty / "state", {});

  EXPECT_THAT(watch.calls(), testing::Contains("fsync"));
}

}  // namespace
}  // namespace vtpm
