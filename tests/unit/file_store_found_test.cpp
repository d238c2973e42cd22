// What a file store makes of files that somebody else has left half-way, damaged or put in place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/file_faults.h"
#include "tests/support/file_store_operations.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

std::string words_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void damage(const std::string& path, size_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file << "damage";
}

// A rekey that is interrupted right behind the turning point.
void interrupt_rekey(const std::string& path) {
  auto store = open_file_store(path, '-');
  must(store->store(kOther, blob_of("other")));
  must(store->store(kSubject, blob_of("older")));
  must(store->store(kSubject, blob_of("old")));
  store.reset();
  for (int point = 1; point < 200; ++point) {
    std::string whole = words_in(path);
    auto rekeyed = open_file_store(path, '-');
    {
      FileFaults faults(point, EIO);
      static_cast<void>(rekeyed->rekey(test_key('k')));
    }
    rekeyed.reset();
    FileStoreOptions options;
    options.key = test_key('k');
    auto turned = FileStore::open(path, std::move(options)).value();
    if (turned->load(kSubject)) {
      return;
    }
    std::ofstream(path, std::ios::binary) << whole;
  }
}

TEST(FileStoreFound, RekeyInterruptedBehindItsTurningPoint_LeavesNothingPlainOnceTheTpmWrites) {
  TemporaryDirectory directory;
  std::string path = directory / "state";
  interrupt_rekey(path);
  auto store = open_file_store(path, 'k');
  must(store->store(kSubject, blob_of("new")));
  must(store->store(kSubject, blob_of("newer")));
  store.reset();

  EXPECT_EQ(words_in(path).find("other other"), std::string::npos);
}

TEST(FileStoreFound, RekeyInterruptedBehindItsTurningPoint_OneHeaderDamagedLater_TheOtherCounts) {
  TemporaryDirectory directory;
  std::string path = directory / "state";
  interrupt_rekey(path);
  auto store = open_file_store(path, 'k');
  must(store->store(kSubject, blob_of("new")));
  must(store->store(kSubject, blob_of("newer")));
  store.reset();
  size_t sealed = static_cast<unsigned char>(words_in(path)[30]) != 0 ? 0 : kHeaderCopy;
  damage(path, sealed + 40);

  FileStoreOptions options;
  options.key = test_key('k');
  auto loaded = FileStore::open(path, std::move(options)).value()->load(kSubject);

  EXPECT_TRUE(loaded) << loaded.error().message;
  auto without = FileStore::open(path, {}).value()->load(kOther);
  EXPECT_FALSE(without) << "what was there before the rekey is loaded, without a key";
}

TEST(FileStoreFound, OneHeaderDamaged_IsSaidAndMadeGoodByTheNextStore) {
  TemporaryDirectory directory;
  std::string path = directory / "state";
  must(open_file_store(path, '-')->store(kSubject, blob_of("old")));
  damage(path, 40);
  std::vector<std::string> told;
  FileStoreOptions options;
  options.tell = [&](const std::string& text) { told.push_back(text); };
  auto store = FileStore::open(path, std::move(options)).value();
  must(store->lock());
  ASSERT_TRUE(store->load(kSubject));
  must(store->store(kSubject, blob_of("new")));
  store.reset();

  EXPECT_FALSE(told.empty());
  damage(path, kHeaderCopy + 40);
  auto loaded = FileStore::open(path, {}).value()->load(kSubject);
  EXPECT_TRUE(loaded) << loaded.error().message;
}

TEST(FileStoreFound, NewerHeaderBesideAnOldOne_IsRefused) {
  TemporaryDirectory directory;
  std::string path = directory / "state";
  must(open_file_store(path, '-')->store(kSubject, blob_of("old")));
  Bytes header =
      encode_header({.revision = 99, .epoch = 1, .committed = 1, .seal = {}}, Seal()).value();
  header[9] = std::byte{3};
  header[11] = std::byte{3};
  Bytes sum = sha256(ByteView(header).first(100)).value();
  std::ranges::copy(sum, header.begin() + 100);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.write(reinterpret_cast<const char*>(header.data()),
               static_cast<std::streamsize>(header.size()));
  }

  auto loaded = FileStore::open(path, {}).value()->load(kSubject);

  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::unsupported);
}

TEST(FileStoreFound, RefusedStore_IsNotWhatTheSameObjectLoads) {
  TemporaryDirectory directory;
  std::string path = directory / "state";
  auto store = open_file_store(path, '-');
  must(store->store(kSubject, blob_of("older")));
  must(store->store(kSubject, blob_of("old")));
  for (int point = 1; point < 20; ++point) {
    FileFaults faults(point, EIO);
    auto stored = store->store(kSubject, blob_of("new"));
    if (!faults.happened()) {
      break;
    }
    ASSERT_FALSE(stored);
    EXPECT_EQ(store->load(kSubject).value(), blob_of("old")) << faults.calls().back();
  }
}

// As after an import that put another file there, between open() and lock().
TEST(FileStoreFound, FileReplacedBeforeItIsLocked_IsNotServed) {
  TemporaryDirectory directory;
  std::string path = directory / "state";
  must(open_file_store(path, '-')->store(kSubject, blob_of("old")));
  auto waiting = FileStore::open(path, {}).value();
  must(open_file_store(directory / "beside", '-')->store(kSubject, blob_of("new")));
  ASSERT_EQ(::rename((directory / "beside").c_str(), path.c_str()), 0);

  auto locked = waiting->lock();

  EXPECT_TRUE(!locked || waiting->load(kSubject).value() == blob_of("new"));
}

}  // namespace
}  // namespace vtpm
