// The `dir:` store on a disk that loses power at every point of every operation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "engine/state/swtpm/dir_store.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/support/power_cut.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::Not;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
constexpr BlobName kVolatile{TpmVersion::tpm20, BlobKind::volatile_state};
const std::string kOld(700, 'o');
const std::string kNew(2000, 'n');

struct Operation {
  std::string name;
  std::function<void(DirStore&)> prepare;
  std::function<Result<void>(DirStore&)> run;
  std::string before;
  std::string after;
};

void prepare_old(DirStore& store) {
  must(store.store(kVolatile, as_bytes("other")));
  must(store.store(kPermanent, as_bytes(kOld)));
}

Result<void> store_new(DirStore& store) {
  return store.store(kPermanent, as_bytes(kNew));
}

std::vector<Operation> operations() {
  return {
      {"FirstStore", [](DirStore& store) { must(store.store(kVolatile, as_bytes("other"))); },
       store_new, "not there", kNew},
      {"Store", prepare_old, store_new, kOld, kNew},
      {"Remove", prepare_old, [](DirStore& store) { return store.remove(kPermanent); }, kOld,
       "not there"},
  };
}

std::string in_words(const Result<Bytes>& loaded) {
  if (loaded) {
    return {reinterpret_cast<const char*>(loaded->data()), loaded->size()};  // NOLINT
  }
  return loaded.error().code == Errc::not_found ? "not there"
                                                : "refused: " + loaded.error().message;
}

class DirStorePowerCut : public testing::TestWithParam<Operation> {
 protected:
  std::unique_ptr<DirStore> open(Sync sync = Sync::full) {
    return DirStore::open(directory_.path(), CreateState::never, sync).value();
  }

  void run(Sync sync = Sync::full) {
    FileFaults watch;
    GetParam().prepare(*open());
    before_ = DirectoryImage::of(directory_.path());
    size_t prepared = watch.directory_changes().size();
    must(GetParam().run(*open(sync)));
    changes_.assign(watch.directory_changes().begin() + static_cast<ptrdiff_t>(prepared),
                    watch.directory_changes().end());
  }

  // What is found with each of the images that a cut behind the first `made` changes may leave.
  std::vector<std::string> cut_behind(size_t made, BlobName name = kPermanent) {
    std::vector<std::string> found;
    power_cut(before_, std::span(changes_).first(made), [&](const DirectoryImage& image) {
      image.write_to(directory_.path());
      found.push_back(in_words(open()->load(name)));
    });
    return found;
  }

  TemporaryDirectory directory_;
  DirectoryImage before_;
  std::vector<DirectoryChange> changes_;
};

INSTANTIATE_TEST_SUITE_P(Operations, DirStorePowerCut, testing::ValuesIn(operations()),
                         [](const auto& test) { return test.param.name; });

TEST_P(DirStorePowerCut, AtEveryPoint_LeavesTheOldOrTheNewBlob) {
  run();

  for (size_t made = 0; made <= changes_.size(); ++made) {
    SCOPED_TRACE("power lost behind change " + std::to_string(made));
    EXPECT_THAT(cut_behind(made), Each(AnyOf(GetParam().before, GetParam().after)));
    EXPECT_THAT(cut_behind(made, kVolatile), Each("other"));
  }
}

TEST_P(DirStorePowerCut, OnceItHasReturned_LeavesTheNewBlob) {
  run();

  EXPECT_THAT(cut_behind(changes_.size()), Each(GetParam().after));
}

TEST_P(DirStorePowerCut, AtEveryPoint_TheNextStoreWorks) {
  run();

  for (size_t made = 0; made <= changes_.size(); ++made) {
    power_cut(before_, std::span(changes_).first(made), [&](const DirectoryImage& image) {
      image.write_to(directory_.path());
      FileFaults nothing_is_slow;
      must(open()->store(kPermanent, as_bytes("next")));
      EXPECT_EQ(open()->load(kPermanent).value(), to_bytes("next"));
    });
  }
}

// Proves that these tests can fail.
TEST_P(DirStorePowerCut, WithoutSync_LosesWhatWasAcknowledged) {
  run(Sync::none);

  EXPECT_THAT(cut_behind(changes_.size()), Contains(Not(GetParam().after)));
}

}  // namespace
}  // namespace vtpm
