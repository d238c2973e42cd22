// The `dir:` store with a file key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/state/swtpm/dir_store.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/file_faults.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};

class DirStoreKey : public testing::TestWithParam<size_t> {
 protected:
  std::unique_ptr<DirStore> open(SwtpmKey key) {
    return DirStore::open(directory_.path(), CreateState::never, Sync::full, std::move(key))
        .value();
  }
  // The key of most tests, and others of the same length.
  static SwtpmKey key(uint8_t of = 0x42) { return SwtpmKey(Bytes(GetParam(), std::byte{of})); }

  TemporaryDirectory directory_;
};

TEST_P(DirStoreKey, StoredBlob_IsEncryptedAndComesBack) {
  must(open(key())->store(kPermanent, as_bytes("state")));

  EXPECT_THAT(directory_.read("tpm2-00.permall"), Not(HasSubstr("state")));
  EXPECT_EQ(open(key())->load(kPermanent).value(), to_bytes("state"));
}

TEST_P(DirStoreKey, StoredBlob_IsInSwtpmsFormat) {
  must(open(key())->store(kPermanent, as_bytes("state")));
  std::string file = directory_.read("tpm2-00.permall");
  SwtpmKey same = key();

  EXPECT_EQ(unwrap_swtpm_blob(as_bytes(file), &same).value(), to_bytes("state"));
}

TEST_P(DirStoreKey, StoreOfTheLargestState_IsLoadedWhole) {
  auto store = open(key());
  Bytes large(180 * 1024, std::byte{0x5a});

  must(store->store(kPermanent, large));

  EXPECT_EQ(store->load(kPermanent).value(), large);
}

TEST_P(DirStoreKey, LoadWithAnotherKey_NamesTheFileAndTheKey) {
  must(open(key())->store(kPermanent, as_bytes("state")));

  auto blob = open(key(0x43))->load(kPermanent);

  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::corrupt);
  EXPECT_THAT(blob.error().message, HasSubstr(directory_ / "tpm2-00.permall"));
  EXPECT_THAT(blob.error().message, HasSubstr("the file key is wrong"));
  EXPECT_EQ(blob.error().tpm_result, 0x21u);
}

TEST_P(DirStoreKey, LoadWithoutAKey_AsksForIt) {
  must(open(key())->store(kPermanent, as_bytes("state")));

  auto blob = open({})->load(kPermanent);

  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::unsupported);
  EXPECT_THAT(blob.error().message, HasSubstr("no key was given"));
  EXPECT_EQ(blob.error().tpm_result, 0x0du);
}

TEST_P(DirStoreKey, LoadOfAPlainFile_IsRefused) {
  must(open({})->store(kPermanent, as_bytes("state")));

  auto blob = open(key())->load(kPermanent);

  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::invalid);
  EXPECT_THAT(blob.error().message, HasSubstr("the state is not encrypted"));
}

// A new TPM is made of it.
TEST_P(DirStoreKey, LoadOfWhatIsNotThere_IsNotFound) {
  EXPECT_EQ(open(key())->load(kPermanent).error().code, Errc::not_found);
}

TEST_P(DirStoreKey, Store_MakesFileThenNameDurableAsWithoutAKey) {
  auto store = open(key());
  FileFaults watch;

  must(store->store(kPermanent, as_bytes("state")));

  EXPECT_THAT(watch.calls(), ElementsAre("openat", "write", "fsync", "renameat", "fsync"));
}

TEST_P(DirStoreKey, StoreThatFails_LeavesTheOldBlob) {
  auto store = open(key());
  must(store->store(kPermanent, as_bytes("old")));
  {
    FileFaults faults(2, ENOSPC);
    ASSERT_FALSE(store->store(kPermanent, as_bytes("new")).has_value());
  }

  EXPECT_EQ(store->load(kPermanent).value(), to_bytes("old"));
}

INSTANTIATE_TEST_SUITE_P(Sizes, DirStoreKey, testing::Values(16, 32));

}  // namespace
}  // namespace vtpm
