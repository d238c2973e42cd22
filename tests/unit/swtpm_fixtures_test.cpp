// What the real swtpm wrote, plain and with every kind of key (tests/unit/data/swtpm/README.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/state/swtpm/dir_store.h"
#include "engine/state/swtpm/linear_file.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/swtpm_files.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::Combine;
using testing::Values;

struct Family {
  const char* name;
  TpmVersion version;
  const char* permanent_file;
};

class SwtpmFixture : public testing::TestWithParam<std::tuple<Family, const char*>> {
 protected:
  Family family_ = std::get<0>(GetParam());
  std::string form_ = std::get<1>(GetParam());
  const SwtpmKey key_ = fixture_key(form_);
  const SwtpmKey* given_key_ = key_.empty() ? nullptr : &key_;

  [[nodiscard]] Bytes bytes(const std::string& suffix) const {
    return fixture(std::string(family_.name) + "." + form_ + suffix);
  }
  // The state of the TPM that all files of the family are of.
  [[nodiscard]] Bytes state() const {
    Bytes plain = fixture(std::string(family_.name) + ".plain.permall");
    return to_bytes(ByteView(plain).subspan(16));
  }
};

TEST_P(SwtpmFixture, FileOfTheDirectory_IsUnderstood) {
  EXPECT_EQ(unwrap_swtpm_blob(bytes(".permall"), given_key_).value(), state());
}

TEST_P(SwtpmFixture, Directory_IsLoaded) {
  TemporaryDirectory directory;
  std::filesystem::copy_file(fixture_path(std::string(family_.name) + "." + form_ + ".permall"),
                             directory / family_.permanent_file);
  auto store = DirStore::open(directory.path(), CreateState::never, Sync::full, fixture_key(form_));

  EXPECT_EQ((*store)->load({family_.version, BlobKind::permanent}).value(), state());
}

TEST_P(SwtpmFixture, LinearFile_IsUnderstood) {
  Bytes file = bytes(".linear");

  auto blob = read_linear_file(file, BlobKind::permanent).value();

  EXPECT_EQ(unwrap_swtpm_blob(blob, given_key_).value(), state());
  EXPECT_EQ(read_linear_file(file, BlobKind::volatile_state).error().code, Errc::not_found);
  EXPECT_EQ(read_linear_file(file, BlobKind::savestate).error().code, Errc::not_found);
}

TEST_P(SwtpmFixture, LinearFileMadeHere_IsSwtpmsButForTheRestOfItsSection) {
  Bytes theirs = bytes(".linear");
  Bytes blob = to_bytes(read_linear_file(theirs, BlobKind::permanent).value());

  Bytes ours = build_linear_file({{BlobKind::permanent, blob}});

  EXPECT_EQ(ours.size(), theirs.size());
  EXPECT_EQ(to_bytes(ByteView(ours).first(192 + blob.size())),
            to_bytes(ByteView(theirs).first(192 + blob.size())));
}

TEST_P(SwtpmFixture, MadeHere_HasSwtpmsLengthAndHeader) {
  Bytes theirs = bytes(".permall");

  Bytes ours = wrap_swtpm_blob(state(), given_key_).value();

  EXPECT_EQ(ours.size(), theirs.size());
  EXPECT_EQ(to_bytes(ByteView(ours).first(16)), to_bytes(ByteView(theirs).first(16)));
}

INSTANTIATE_TEST_SUITE_P(Files, SwtpmFixture,
                         Combine(Values(Family{"tpm20", TpmVersion::tpm20, "tpm2-00.permall"},
                                        Family{"tpm12", TpmVersion::tpm12, "tpm-00.permall"}),
                                 Values("plain", "hex128", "binary256", "pbkdf2_128",
                                        "sha512_256")),
                         [](const auto& row) {
                           return std::string(std::get<0>(row.param).name) + "_" +
                                  std::get<1>(row.param);
                         });

class SwtpmStateBlob : public testing::TestWithParam<const char*> {};

TEST_P(SwtpmStateBlob, WithTheFileKey_IsUnderstood) {
  const SwtpmKey key = fixture_key(GetParam());
  Bytes state = unwrap_swtpm_blob(fixture("tpm20.plain.permall"), nullptr).value();

  Bytes blob = fixture(std::string("tpm20.") + GetParam() + ".stateblob");

  EXPECT_EQ(unwrap_migration_blob(blob, nullptr, key.empty() ? nullptr : &key).value(), state);
}

INSTANTIATE_TEST_SUITE_P(Blobs, SwtpmStateBlob,
                         Values("plain", "hex128", "binary256", "pbkdf2_128", "sha512_256"));

TEST(SwtpmStateBlobOfBothKeys, WithBoth_IsUnderstood) {
  const SwtpmKey file_key = fixture_key("binary256");
  const SwtpmKey migration_key = fixture_key("pbkdf2_256");
  Bytes state = unwrap_swtpm_blob(fixture("tpm20.plain.permall"), nullptr).value();

  Bytes blob = fixture("tpm20.binary256_migration_pbkdf2_256.stateblob");

  EXPECT_EQ(unwrap_migration_blob(blob, &migration_key, &file_key).value(), state);
}

}  // namespace
}  // namespace vtpm
