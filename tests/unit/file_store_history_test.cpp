// The `file:` store in random histories: stores, removals, changes of the key, restarts, writes and
// flushes that fail, and power that is lost in the end (CachedDisk).
//
// VTPM_HISTORIES says how many (300; 10000 take half a minute). The same number is the same history
// in every run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <set>

#include "tests/support/environment.h"
#include "tests/support/file_store_operations.h"
#include "tests/support/must.h"
#include "tests/support/power_cut.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::Contains;

constexpr BlobName kPermanent12{TpmVersion::tpm12, BlobKind::permanent};
constexpr BlobName kSavestate{TpmVersion::tpm12, BlobKind::savestate};
constexpr std::array kNames = {kSubject, kOther, kPermanent12, kSavestate};

constexpr int kNone = 0;      // no such blob
constexpr int kRefused = -1;  // it cannot be told whether there is one

Bytes numbered(int number) {
  return blob_of("number" + std::to_string(number), 10 + static_cast<size_t>(number) * 37 % 900);
}

// What was promised of a blob: the last that was acknowledged, or what was tried since.
struct Promise {
  std::set<int> possible = {kNone};
  bool stored_once = false;
};

class History {
 public:
  explicit History(uint64_t seed)
      : random_(seed), disk_(seed), faults_([this](std::string_view call) { return fails(call); }) {
    failing_ = seed % 3 == 0 ? 4 : 2;
  }

  // Leaves the file as it is found after the power was lost.
  void run() {
    start();
    for (int number = 1, steps = 5 + below(30); number <= steps; ++number) {
      step(number);
    }
    store_.reset();
    follow();
    trouble_ = false;
    disk_.cut_power().write_to(path_);
  }

  // The number of what a process finds that has one of the keys that may hold.
  int found(BlobName name) {
    for (char key : keys_) {
      auto loaded = open(key)->load(name);
      if (loaded || loaded.error().code != Errc::denied) {
        return number_in(loaded);
      }
    }
    return kRefused;
  }

  void zero(BlobName name, std::initializer_list<size_t> slots) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    for (size_t slot : slots) {
      file.seekp(static_cast<std::streamoff>(slot_offset(blob_number(name), slot)));
      file << std::string(kSlotHeader, '\0');
    }
  }

  [[nodiscard]] const Promise& promise(size_t which) const { return promises_.at(which); }
  [[nodiscard]] bool is_removed(size_t which) const {
    return promise(which).stored_once && promise(which).possible == std::set{kNone};
  }
  [[nodiscard]] bool is_there(size_t which) const {
    return !promise(which).possible.contains(kNone);
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  bool fails(std::string_view call) {
    if (!trouble_) {
      return false;
    }
    bool flush = call == "fdatasync";
    bool change = call == "pwrite" || call == "ftruncate";
    return (flush && below(failing_) == 0) || (change && below(20) == 0);
  }

  std::unique_ptr<FileStore> open(char key) {
    auto store = FileStore::open(path_, {.key = test_key(key)}).value();
    must(store->lock());
    return store;
  }

  // What the disk knows of so far.
  void follow() {
    disk_.follow(std::span(faults_.changes()).subspan(followed_));
    followed_ = faults_.changes().size();
  }

  // A process that has the right key; it knows no more of the disk than the cache tells.
  void start() {
    trouble_ = false;
    store_.reset();
    auto fits = [this](char key) {
      auto loaded = open(key)->load(kSubject);
      return loaded || loaded.error().code != Errc::denied;
    };
    store_ = open(*std::ranges::find_if(keys_, fits));
    trouble_ = true;
  }

  void step(int number) {
    size_t which = static_cast<size_t>(below(static_cast<int>(kNames.size())));
    switch (below(13)) {
      case 0:
      case 1:
        start();
        break;
      case 2:
      case 3:
        rekey();
        break;
      case 4:
      case 5:
        remove(which);
        break;
      default:
        store(which, number);
    }
    follow();
  }

  void store(size_t which, int number) {
    auto stored = store_->store(kNames.at(which), numbered(number));
    keep(which, number, stored.has_value());
    promises_.at(which).stored_once |= stored.has_value();
  }

  void remove(size_t which) {
    auto removed = store_->remove(kNames.at(which));
    keep(which, kNone, removed.has_value());
  }

  void keep(size_t which, int number, bool done) {
    auto& possible = promises_.at(which).possible;
    if (done) {
      possible.clear();
    }
    possible.insert(number);
  }

  // After a failure the same process goes on: any of the keys that were tried may hold then.
  void rekey() {
    char to = static_cast<char>('0' + below(10));
    bool done = store_->rekey(test_key(to)).has_value();
    if (done) {
      keys_.clear();
    }
    keys_.push_back(to);
  }

  static int number_in(const Result<Bytes>& loaded) {
    if (!loaded) {
      return loaded.error().code == Errc::not_found ? kNone : kRefused;
    }
    std::string text(reinterpret_cast<const char*>(loaded->data()), loaded->size());  // NOLINT
    int number = std::atoi(text.substr(std::string_view("number").size()).c_str());
    return *loaded == numbered(number) ? number : kRefused;
  }

  std::mt19937 random_;
  CachedDisk disk_;
  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "state";
  int failing_ = 2;  // one of so many flushes fails
  bool trouble_ = false;
  FileFaults faults_;
  size_t followed_ = 0;
  std::vector<char> keys_ = {'-'};
  std::unique_ptr<FileStore> store_;
  std::array<Promise, kNames.size()> promises_;
};

uint64_t histories() {
  return number_from_environment("VTPM_HISTORIES", 300);
}

TEST(FileStoreHistory, PowerIsLost_WhatWasAcknowledgedIsThereOrWhatCameAfterIt) {
  for (uint64_t seed = 1; seed <= histories(); ++seed) {
    SCOPED_TRACE("history " + std::to_string(seed));
    History history(seed);
    history.run();

    for (size_t which = 0; which < kNames.size(); ++which) {
      EXPECT_THAT(history.promise(which).possible, Contains(history.found(kNames.at(which))))
          << in_words(kNames.at(which));
    }
  }
}

TEST(FileStoreHistory, PowerIsLostAndASlotZeroed_WhatWasRemovedDoesNotComeBack) {
  for (uint64_t seed = 1; seed <= histories(); ++seed) {
    SCOPED_TRACE("history " + std::to_string(seed));
    History history(seed);
    history.run();

    for (size_t which = 0; which < kNames.size(); ++which) {
      history.zero(kNames.at(which), {seed % 2});
      EXPECT_TRUE(!history.is_removed(which) || history.found(kNames.at(which)) <= kNone)
          << in_words(kNames.at(which));
    }
  }
}

TEST(FileStoreHistory, PowerIsLostAndBothSlotsZeroed_WhatWasAcknowledgedIsNeverNotThere) {
  for (uint64_t seed = 1; seed <= histories(); ++seed) {
    SCOPED_TRACE("history " + std::to_string(seed));
    History history(seed);
    history.run();

    for (size_t which = 0; which < kNames.size(); ++which) {
      history.zero(kNames.at(which), {0, 1});
      EXPECT_TRUE(!history.is_there(which) || history.found(kNames.at(which)) == kRefused)
          << in_words(kNames.at(which));
    }
  }
}

}  // namespace
}  // namespace vtpm
