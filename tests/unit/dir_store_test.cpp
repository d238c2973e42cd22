#include "engine/state/swtpm/dir_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/file_faults.h"
#include "tests/support/hex.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};

std::string as_text(ByteView bytes) {
  std::string text;
  for (std::byte b : bytes) {
    text += static_cast<char>(b);
  }
  return text;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

class DirStoreTest : public testing::Test {
 protected:
  std::unique_ptr<DirStore> open() {
    return DirStore::open(directory_.path(), CreateState::never).value();
  }

  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_.path())) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }

  TemporaryDirectory directory_;
};

struct FileOfBlob {
  BlobName blob;
  const char* file;
};

class DirStoreLayout : public DirStoreTest, public testing::WithParamInterface<FileOfBlob> {};

TEST_P(DirStoreLayout, StoredBlob_IsInSwtpmsFileInSwtpmsFormat) {
  auto store = open();

  ASSERT_TRUE(store->store(GetParam().blob, as_bytes("state")).has_value());

  EXPECT_THAT(files(), ElementsAre(GetParam().file));
  EXPECT_EQ(directory_.read(GetParam().file),
            as_text(wrap_swtpm_blob(as_bytes("state"), nullptr).value()));
  EXPECT_EQ(mode_of(directory_ / GetParam().file), 0600u);
}

TEST_P(DirStoreLayout, SwtpmsFile_IsLoaded) {
  directory_.write(GetParam().file,
                   as_text(wrap_swtpm_blob(as_bytes("from swtpm"), nullptr).value()));

  EXPECT_EQ(open()->load(GetParam().blob).value(), to_bytes("from swtpm"));
}

INSTANTIATE_TEST_SUITE_P(
    Blobs, DirStoreLayout,
    testing::Values(
        FileOfBlob{{TpmVersion::tpm20, BlobKind::permanent}, "tpm2-00.permall"},
        FileOfBlob{{TpmVersion::tpm20, BlobKind::volatile_state}, "tpm2-00.volatilestate"},
        FileOfBlob{{TpmVersion::tpm20, BlobKind::savestate}, "tpm2-00.savestate"},
        FileOfBlob{{TpmVersion::tpm12, BlobKind::permanent}, "tpm-00.permall"},
        FileOfBlob{{TpmVersion::tpm12, BlobKind::volatile_state}, "tpm-00.volatilestate"},
        FileOfBlob{{TpmVersion::tpm12, BlobKind::savestate}, "tpm-00.savestate"}));

TEST_F(DirStoreTest, OpenIfMissing_MakesAPrivateDirectory) {
  ASSERT_TRUE(DirStore::open(directory_ / "new", CreateState::if_missing).has_value());

  EXPECT_EQ(mode_of(directory_ / "new"), 0700u);
}

TEST_F(DirStoreTest, OpenIfMissingWithATrailingSlash_MakesTheDirectory) {
  EXPECT_TRUE(DirStore::open(directory_ / "new/", CreateState::if_missing).has_value());
}

TEST_F(DirStoreTest, OpenNever_DoesNotMakeADirectory) {
  auto store = DirStore::open(directory_ / "new", CreateState::never);

  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Errc::not_found);
  EXPECT_THAT(store.error().message, HasSubstr(directory_ / "new"));
  EXPECT_FALSE(fs::exists(directory_ / "new"));
}

TEST_F(DirStoreTest, OpenWithoutAParent_NamesThePath) {
  auto store = DirStore::open(directory_ / "no/new", CreateState::if_missing);

  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Errc::not_found);
  EXPECT_THAT(store.error().message, HasSubstr(directory_ / "no/new"));
}

TEST_F(DirStoreTest, OpenOfAFile_IsRefused) {
  directory_.write("file", "");

  EXPECT_FALSE(DirStore::open(directory_ / "file", CreateState::if_missing).has_value());
}

TEST_F(DirStoreTest, LoadOfWhatIsNotThere_IsNotFound) {
  auto blob = open()->load(kPermanent);

  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::not_found);
  EXPECT_THAT(blob.error().message, HasSubstr(directory_ / "tpm2-00.permall"));
}

TEST_F(DirStoreTest, LoadOfADamagedFile_IsCorruptAndNamesTheFile) {
  std::string whole = as_text(wrap_swtpm_blob(as_bytes("state"), nullptr).value());
  directory_.write("tpm2-00.permall", whole.substr(0, whole.size() - 1));

  auto blob = open()->load(kPermanent);

  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::corrupt);
  EXPECT_THAT(blob.error().message, HasSubstr(directory_ / "tpm2-00.permall"));
}

TEST_F(DirStoreTest, LoadOfAnEmptyFile_IsCorrupt) {
  directory_.write("tpm2-00.permall", "");

  EXPECT_EQ(open()->load(kPermanent).error().code, Errc::corrupt);
}

TEST_F(DirStoreTest, LoadOfAHugeFile_IsRefusedWithoutReadingIt) {
  directory_.write("tpm2-00.permall", "");
  fs::resize_file(directory_ / "tpm2-00.permall", uintmax_t{1} << 40);

  EXPECT_EQ(open()->load(kPermanent).error().code, Errc::corrupt);
}

TEST_F(DirStoreTest, LoadOfASymbolicLink_IsRefused) {
  directory_.write("elsewhere", as_text(wrap_swtpm_blob(as_bytes("state"), nullptr).value()));
  fs::create_symlink(directory_ / "elsewhere", directory_ / "tpm2-00.permall");

  auto blob = open()->load(kPermanent);

  ASSERT_FALSE(blob.has_value());
  EXPECT_NE(blob.error().code, Errc::not_found) << "a new TPM would be made in its place";
}

TEST_F(DirStoreTest, LoadOfAFifo_IsRefusedWithoutWaitingForAWriter) {
  ASSERT_EQ(mkfifo((directory_ / "tpm2-00.permall").c_str(), 0600), 0);

  EXPECT_EQ(open()->load(kPermanent).error().code, Errc::corrupt);
}

TEST_F(DirStoreTest, StoreWhereASymbolicLinkIs_ReplacesTheLinkAndNotItsTarget) {
  directory_.write("elsewhere", "untouched");
  fs::create_symlink(directory_ / "elsewhere", directory_ / "tpm2-00.permall");
  fs::create_symlink(directory_ / "elsewhere", directory_ / "TMP2-00.permall");
  auto store = open();

  ASSERT_TRUE(store->store(kPermanent, as_bytes("state")).has_value());

  EXPECT_EQ(directory_.read("elsewhere"), "untouched");
  EXPECT_EQ(store->load(kPermanent).value(), to_bytes("state"));
}

TEST_F(DirStoreTest, StoreOverALeftover_ReplacesItAndLeavesNone) {
  directory_.write("TMP2-00.permall", "half-written by a process that was killed");
  auto store = open();

  ASSERT_TRUE(store->store(kPermanent, as_bytes("state")).has_value());

  EXPECT_THAT(files(), ElementsAre("tpm2-00.permall"));
  EXPECT_EQ(store->load(kPermanent).value(), to_bytes("state"));
}

TEST_F(DirStoreTest, StoreTwice_KeepsTheSecond) {
  auto store = open();

  ASSERT_TRUE(store->store(kPermanent, as_bytes("a longer first state")).has_value());
  ASSERT_TRUE(store->store(kPermanent, as_bytes("second")).has_value());

  EXPECT_EQ(store->load(kPermanent).value(), to_bytes("second"));
}

TEST_F(DirStoreTest, StoreOfTheLargestState_IsLoadedWhole) {
  auto store = open();
  Bytes large(180 * 1024, std::byte{0x5a});

  ASSERT_TRUE(store->store(kPermanent, large).has_value());

  EXPECT_EQ(store->load(kPermanent).value(), large);
}

TEST_F(DirStoreTest, Remove_TakesTheFileAway) {
  auto store = open();
  ASSERT_TRUE(store->store(kPermanent, as_bytes("state")).has_value());

  EXPECT_TRUE(store->remove(kPermanent).has_value());

  EXPECT_EQ(store->load(kPermanent).error().code, Errc::not_found);
}

TEST_F(DirStoreTest, RemoveOfWhatIsNotThere_IsNoError) {
  EXPECT_TRUE(open()->remove(kPermanent).has_value());
}

TEST_F(DirStoreTest, Describe_IsTheOptionThatOpensIt) {
  EXPECT_EQ(open()->describe(), "dir:" + directory_.path());
}

TEST_F(DirStoreTest, Store_MakesFileThenNameDurable) {
  auto store = open();
  FileFaults watch;

  ASSERT_TRUE(store->store(kPermanent, as_bytes("state")).has_value());

  EXPECT_THAT(watch.calls(), ElementsAre("openat", "write", "fsync", "renameat", "fsync"));
}

}  // namespace
}  // namespace vtpm
