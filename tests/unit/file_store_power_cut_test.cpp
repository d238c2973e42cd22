// The `file:` store on a disk that loses power at every point of every operation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/file_store_operations.h"
#include "tests/support/must.h"
#include "tests/support/power_cut.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::Not;
using testing::StartsWith;

// What was found, in words, with each of the images that a cut may leave.
struct Found {
  std::vector<std::string> subject;
  std::vector<std::string> other;
  std::vector<std::string> after_next;  // when the TPM went on with it and stored once more
};

class FileStorePowerCut : public testing::TestWithParam<FileStoreOperation> {
 protected:
  void SetUp() override {
    FileFaults nothing_is_slow;
    GetParam().prepare(path_, GetParam().key);
  }

  // Keeps what it does to the file. A process that ran before may not have made all of that
  // durable.
  void run(Sync sync = Sync::full) {
    auto store = open_file_store(path_, GetParam().key, sync);
    {
      FileFaults nothing_is_slow;
      GetParam().warm_up(*store);
    }
    before_ = DiskImage::of(path_);
    FileFaults watch;
    must(GetParam().run(*store));
    changes_ = watch.changes();
  }

  void look(Found& found) {
    found.subject.push_back(find_in_file(path_, GetParam(), kSubject));
    found.other.push_back(find_in_file(path_, GetParam(), kOther));
  }

  // With power lost behind the first `made` changes.
  Found cut_behind(size_t made) {
    Found found;
    power_cut(before_, std::span(changes_).first(made), [&](const DiskImage& image) {
      image.write_to(path_);
      look(found);
    });
    return found;
  }

  // In each image, the next process goes on under the key that was to be the file's.
  Found cut_and_go_on(size_t made) {
    Found found;
    FileFaults nothing_is_slow;
    power_cut(before_, std::span(changes_).first(made), [&](const DiskImage& image) {
      image.write_to(path_);
      must(open_file_store(path_, GetParam().key_after)->store(kSubject, blob_of("next")));
      look(found);
    });
    return found;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "state";
  DiskImage before_;
  std::vector<FileChange> changes_;
};

INSTANTIATE_TEST_SUITE_P(Operations, FileStorePowerCut, testing::ValuesIn(file_store_operations()),
                         [](const auto& test) { return test.param.name; });

TEST_P(FileStorePowerCut, AtEveryPoint_LeavesTheOldOrTheNewState) {
  run();

  for (size_t made = 0; made <= changes_.size(); ++made) {
    SCOPED_TRACE("power lost behind change " + std::to_string(made));
    Found found = cut_behind(made);
    ASSERT_THAT(found.subject, Each(AnyOf(StartsWith(GetParam().before), GetParam().after)));
    ASSERT_THAT(found.other, Each(AnyOf(GetParam().other, StartsWith(GetParam().before))));
  }
}

TEST_P(FileStorePowerCut, OnceItHasReturned_LeavesTheNewState) {
  run();

  Found found = cut_behind(changes_.size());

  EXPECT_THAT(found.subject, Each(GetParam().after));
  EXPECT_THAT(found.other, Each(GetParam().other));
}

TEST_P(FileStorePowerCut, AtEveryPoint_TheNextStoreWorks) {
  run();

  for (size_t made = 0; made <= changes_.size(); ++made) {
    SCOPED_TRACE("power lost behind change " + std::to_string(made));
    EXPECT_THAT(cut_and_go_on(made).subject, Each("next"));
  }
}

// Without syncing. What replaces a blob may be lost, which also proves that these tests can fail;
// what begins a blob or removes one is flushed all the same, since it concerns more than one place.
class WithoutSync : public FileStorePowerCut {};
class ReplacingWithoutSync : public FileStorePowerCut {};

std::vector<FileStoreOperation> file_store_operations_that_begin(const std::string& state) {
  auto all = file_store_operations();
  std::erase_if(all, [&](const auto& operation) {
    return !operation.before.starts_with(state) || operation.before == operation.after;
  });
  return all;
}

bool replaces_a_blob(const FileStoreOperation& operation) {
  return operation.before == "old" && operation.after != "not there";
}

std::vector<FileStoreOperation> file_store_operations_that_replace(bool replace) {
  auto all = file_store_operations();
  std::erase_if(all, [&](const auto& operation) {
    return operation.before == operation.after || replaces_a_blob(operation) != replace;
  });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Operations, ReplacingWithoutSync,
                         testing::ValuesIn(file_store_operations_that_replace(true)),
                         [](const auto& test) { return test.param.name; });

TEST_P(ReplacingWithoutSync, OnceItHasReturned_MayBeLost) {
  run(Sync::none);

  EXPECT_THAT(cut_behind(changes_.size()).subject, Contains(Not(GetParam().after)));
}

INSTANTIATE_TEST_SUITE_P(Operations, WithoutSync,
                         testing::ValuesIn(file_store_operations_that_replace(false)),
                         [](const auto& test) { return test.param.name; });

TEST_P(WithoutSync, BeginningAndRemoving_AreDurable) {
  run(Sync::none);

  EXPECT_THAT(cut_behind(changes_.size()).subject, Each(GetParam().after));
}

// A process is killed before its sync, the next one goes on from what the kernel still has, and
// then power is lost: the newest state is on no disk, and the one before it is being overwritten.
class KilledBeforeItsSync : public FileStorePowerCut {
 protected:
  void run_again_after_a_kill() {
    {
      FileFaults watch;
      auto killed = open_file_store(path_, GetParam().key, Sync::none);
      GetParam().warm_up(*killed);
      before_ = DiskImage::of(path_);
    }
    FileFaults watch;
    must(GetParam().run(*open_file_store(path_, GetParam().key, Sync::none)));
    at_the_kill_ = watch.changes().size();
    must(open_file_store(path_, GetParam().key_after)->store(kSubject, blob_of("next")));
    changes_ = watch.changes();
  }

  size_t at_the_kill_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Operations, KilledBeforeItsSync,
                         testing::ValuesIn(file_store_operations_that_begin("old")),
                         [](const auto& test) { return test.param.name; });

TEST_P(KilledBeforeItsSync, ThenPowerIsLost_AStateThatWasStoredIsThere) {
  run_again_after_a_kill();

  for (size_t made = at_the_kill_; made <= changes_.size(); ++made) {
    SCOPED_TRACE("power lost behind change " + std::to_string(made));
    ASSERT_THAT(cut_behind(made).subject, Each(AnyOf("old", GetParam().after, "next")));
  }
  EXPECT_THAT(cut_behind(changes_.size()).subject, Each("next"));
}

// The same when the sync was refused, and the process looks at the file and goes on.
TEST_P(KilledBeforeItsSync, OrItsSyncFailed_AStateThatWasStoredIsThere) {
  auto store = open_file_store(path_, GetParam().key);
  must(store->store(kSubject, blob_of("old")));
  before_ = DiskImage::of(path_);
  std::vector<FileChange> all;
  {
    FileFaults refused(2, EIO);
    ASSERT_FALSE(store->store(kSubject, blob_of("new")).has_value());
    all = refused.changes();
  }
  FileFaults watch;
  static_cast<void>(store->load(kSubject));
  must(store->store(kSubject, blob_of("next")));
  std::ranges::copy(watch.changes(), std::back_inserter(all));
  changes_ = all;

  for (size_t made = 1; made <= changes_.size(); ++made) {
    SCOPED_TRACE("power lost behind change " + std::to_string(made));
    ASSERT_THAT(cut_behind(made).subject, Each(AnyOf("old", "new", "next")));
  }
}

}  // namespace
}  // namespace vtpm
