// The `dir:` store in random histories: stores, removals, restarts, calls that fail, and power that
// is lost in the end. What it promises (docs/state_format.md): the old or the new blob, whole, and
// what was acknowledged is there. It makes no promise about which blobs belong together.
//
// The same number is the same history in every run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "engine/state/swtpm/dir_store.h"
#include "tests/support/environment.h"
#include "tests/support/power_cut.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

constexpr std::array kNames = {BlobName{TpmVersion::tpm20, BlobKind::permanent},
                               BlobName{TpmVersion::tpm20, BlobKind::volatile_state},
                               BlobName{TpmVersion::tpm12, BlobKind::savestate}};
constexpr int kNone = 0;      // no such blob
constexpr int kRefused = -1;  // not whole, or not what was ever stored

Bytes numbered(int number) {
  return {static_cast<size_t>(number) * 331, static_cast<std::byte>(number)};
}

using Possible = std::set<int>;

class DirHistory {
 public:
  explicit DirHistory(uint64_t seed)
      : random_(seed), faults_([this](std::string_view) { return trouble_ && below(9) == 0; }) {}

  void run() {
    before_ = DirectoryImage::of(directory_.path());
    restart();
    for (int number = 1, steps = 4 + below(8); number <= steps; ++number) {
      step(number);
    }
    trouble_ = false;
    store_.reset();
  }

  // Of every image that the end may leave: what is found of that blob and was not promised.
  Possible broken_promises() {
    Possible broken;
    const auto changes = faults_.directory_changes();
    power_cut(before_, changes, [&](const DirectoryImage& image) {
      image.write_to(directory_.path());
      restart();
      for (size_t which = 0; which < kNames.size(); ++which) {
        int found = number_in(store_->load(kNames.at(which)));
        if (!possible_.at(which).contains(found)) {
          broken.insert(found);
        }
      }
    });
    return broken;
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  void restart() {
    bool before = std::exchange(trouble_, false);
    store_ = DirStore::open(directory_.path(), CreateState::never).value();
    trouble_ = before;
  }

  void step(int number) {
    size_t which = static_cast<size_t>(below(static_cast<int>(kNames.size())));
    trouble_ = true;
    switch (below(6)) {
      case 0:
        restart();
        break;
      case 1:
        keep(which, kNone, store_->remove(kNames.at(which)).has_value());
        break;
      default:
        keep(which, number, store_->store(kNames.at(which), numbered(number)).has_value());
    }
    trouble_ = false;
  }

  void keep(size_t which, int number, bool done) {
    if (done) {
      possible_.at(which).clear();
    }
    possible_.at(which).insert(number);
  }

  static int number_in(const Result<Bytes>& loaded) {
    if (!loaded) {
      return loaded.error().code == Errc::not_found ? kNone : kRefused;
    }
    int number = loaded->empty() ? kRefused : std::to_integer<int>(loaded->front());
    return *loaded == numbered(std::max(number, 0)) ? number : kRefused;
  }

  std::mt19937 random_;
  TemporaryDirectory directory_;
  bool trouble_ = false;
  FileFaults faults_;
  DirectoryImage before_;
  std::unique_ptr<DirStore> store_;
  std::array<Possible, kNames.size()> possible_ = {Possible{kNone}, {kNone}, {kNone}};
};

TEST(DirStoreHistory, PowerIsLost_WhatWasAcknowledgedIsThereOrWhatCameAfterIt) {
  uint64_t histories = number_from_environment("VTPM_HISTORIES", 40);
  for (uint64_t seed = 1; seed <= histories; ++seed) {
    DirHistory history(seed);
    history.run();

    EXPECT_THAT(history.broken_promises(), testing::IsEmpty()) << "history " << seed;
  }
}

}  // namespace
}  // namespace vtpm
