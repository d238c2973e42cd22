// State blobs as they travel. The encrypted literals were made with Python and openssl enc from
// docs/state_format.md alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "engine/keys/crypto.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/swtpm_files.h"

namespace vtpm {
namespace {

constexpr uint32_t kKeyNotFound = 0x0d;
constexpr uint32_t kDecryptError = 0x21;
constexpr uint32_t kBadKeyProperty = 0x28;

const Bytes kState = to_bytes("libtpms state");

TEST(MigrationBlob, WithoutAKey_IsAListWithinAList) {
  EXPECT_EQ(wrap_migration_blob(as_bytes("state"), nullptr).value(),
            hex("02 01 000a 0004 0000001b"  // migration data, 27 bytes
                "0004 0000000b 0001 00000005 7374617465"));
}

TEST(MigrationBlob, FreshTpmWithoutAKey_HasTheLengthSeenWithSwtpm) {
  EXPECT_EQ(wrap_migration_blob(Bytes(1299), nullptr).value().size(), 1321u);
}

TEST(MigrationBlob, WithoutAKey_IsTakenWithOneToo) {
  SwtpmKey key(16);
  Bytes blob = wrap_migration_blob(kState, nullptr).value();

  EXPECT_EQ(unwrap_migration_blob(blob, nullptr).value(), kState);
  EXPECT_EQ(unwrap_migration_blob(blob, &key).value(), kState);
}

// -- version 1 --

Bytes version1_text_of(const SwtpmKey& key, ByteView data) {
  return version1_text(key.view(), sha256(data).value(), data);
}

TEST(MigrationBlob, Version1WithoutAKey_IsTheStateItself) {
  EXPECT_EQ(unwrap_migration_blob(swtpm_blob(1, 0x04, kState), nullptr).value(), kState);
}

TEST(MigrationBlob, Version1WithBothKeys_IsUnderstood) {
  SwtpmKey migration_key(Bytes(16, std::byte{0x41}));
  SwtpmKey file_key(Bytes(16, std::byte{0x42}));
  Bytes blob =
      swtpm_blob(1, 0x07, version1_text_of(migration_key, version1_text_of(file_key, kState)));

  EXPECT_EQ(unwrap_migration_blob(blob, &migration_key, &file_key).value(), kState);
  EXPECT_EQ(unwrap_migration_blob(blob, &migration_key, nullptr).error().tpm_result, kKeyNotFound);
  EXPECT_EQ(unwrap_migration_blob(blob, &file_key, &file_key).error().tpm_result, kDecryptError);
  EXPECT_EQ(unwrap_migration_blob(blob, &migration_key, &migration_key).error().tpm_result,
            kDecryptError);
}

struct Encryption {
  const char* name;
  Bytes key;
  Bytes blob;  // of kState
  uint16_t flags;
};

class EncryptedBlob : public testing::TestWithParam<Encryption> {
 protected:
  Result<Bytes> unwrap(ByteView blob) { return unwrap_migration_blob(blob, &key_); }

  const SwtpmKey key_{GetParam().key};
};

TEST_P(EncryptedBlob, MadeElsewhere_IsUnderstood) {
  EXPECT_EQ(unwrap(GetParam().blob).value(), kState);
}

TEST_P(EncryptedBlob, MadeHere_IsLaidOutAsSwtpmDoes) {
  Bytes blob = wrap_migration_blob(kState, &key_).value();

  EXPECT_EQ(blob.size(), GetParam().blob.size());
  EXPECT_THAT(std::vector(blob.begin(), blob.begin() + 16),
              testing::ElementsAreArray(GetParam().blob.begin(), GetParam().blob.begin() + 16));
  EXPECT_EQ(element_in(blob, 7).size(), key_.size()) << "the initialisation vector";
  EXPECT_EQ(element_in(blob, 3).size(), 32u) << "the authentication code";
}

TEST_P(EncryptedBlob, MadeHere_IsEncryptedAndAuthenticatedOverTheWholeVector) {
  Bytes blob = wrap_migration_blob(kState, &key_).value();
  ByteView text = element_in(blob, 5);
  ByteView iv = element_in(blob, 7);

  Bytes plain = aes_cbc_decrypt(key_.view(), iv.first(16), text).value();
  Bytes covered = BigEndianWriter().bytes(text).bytes(iv).take();

  EXPECT_EQ(to_bytes(ByteView(plain).first(6 + kState.size())),
            BigEndianWriter().u16(1).u32(13).bytes(kState).take());
  EXPECT_EQ(hmac_sha256(key_.view(), covered).value(), to_bytes(element_in(blob, 3)));
}

TEST_P(EncryptedBlob, MadeTwice_DiffersInVectorAndText) {
  Bytes one = wrap_migration_blob(kState, &key_).value();
  Bytes other = wrap_migration_blob(kState, &key_).value();

  EXPECT_NE(to_bytes(element_in(one, 7)), to_bytes(element_in(other, 7)));
  EXPECT_NE(to_bytes(element_in(one, 5)), to_bytes(element_in(other, 5)));
}

TEST_P(EncryptedBlob, StateOfAnySize_IsPaddedToTheKeysLengthAndComesBack) {
  for (size_t size = 0; size <= 70; ++size) {
    Bytes state(size, std::byte{0x5a});
    Bytes blob = wrap_migration_blob(state, &key_).value();

    EXPECT_EQ(element_in(blob, 5).size(), (6 + size) / key_.size() * key_.size() + key_.size());
    EXPECT_EQ(unwrap(blob).value(), state);
  }
}

TEST_P(EncryptedBlob, CutAnywhere_IsRefused) {
  ByteView blob = GetParam().blob;
  for (size_t size = 0; size < blob.size(); ++size) {
    EXPECT_FALSE(unwrap(blob.first(size)).has_value()) << size << " bytes";
  }
}

// The same with a header that says so.
TEST_P(EncryptedBlob, CutAnywhereAndTheTotalAmended_IsRefused) {
  for (size_t size = 10; size < GetParam().blob.size(); ++size) {
    Bytes cut(GetParam().blob.begin(), GetParam().blob.begin() + static_cast<ptrdiff_t>(size));
    cut[9] = static_cast<std::byte>(size);
    EXPECT_FALSE(unwrap(cut).has_value()) << size << " bytes";
  }
}

TEST_P(EncryptedBlob, AnyBitOfTheContentFlipped_IsRefused) {
  for (size_t bit = 10 * 8; bit < GetParam().blob.size() * 8; ++bit) {
    Bytes flipped = GetParam().blob;
    flipped[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_FALSE(unwrap(flipped).has_value()) << "bit " << bit;
  }
}

// The header is not authenticated: bits of it that mean nothing to us may differ.
TEST_P(EncryptedBlob, AnyBitOfTheHeaderFlipped_NeverGivesAnotherState) {
  for (size_t bit = 0; bit < 10 * 8; ++bit) {
    Bytes flipped = GetParam().blob;
    flipped[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_EQ(unwrap(flipped).value_or(kState), kState) << "bit " << bit;
  }
}

TEST_P(EncryptedBlob, WrongKey_IsADecryptError) {
  Bytes other = GetParam().key;
  other.back() ^= std::byte{1};
  SwtpmKey wrong{ByteView(other)};

  EXPECT_EQ(unwrap_migration_blob(GetParam().blob, &wrong).error().tpm_result, kDecryptError);
}

TEST_P(EncryptedBlob, KeyOfTheOtherLength_IsABadKeyProperty) {
  SwtpmKey wrong(48 - key_.size());

  EXPECT_EQ(unwrap_migration_blob(GetParam().blob, &wrong).error().tpm_result, kBadKeyProperty);
}

TEST_P(EncryptedBlob, NoKey_IsKeyNotFound) {
  EXPECT_EQ(unwrap_migration_blob(GetParam().blob, nullptr).error().tpm_result, kKeyNotFound);
}

// -- the file key's encryption within --

TEST_P(EncryptedBlob, WithAFileKeyWithin_IsUnderstoodWithBothKeys) {
  for (auto [size, flags] : {std::pair(16U, 0x01U), std::pair(32U, 0x09U)}) {
    SwtpmKey file_key(Bytes(size, std::byte{0x43}));

    Bytes blob = wrap_migration_blob(kState, &key_, &file_key).value();

    EXPECT_EQ(blob[5], static_cast<std::byte>(GetParam().flags | flags));
    EXPECT_EQ(unwrap_migration_blob(blob, &key_, &file_key).value(), kState);
    EXPECT_EQ(unwrap_migration_blob(blob, &key_, nullptr).error().tpm_result, kKeyNotFound);
    EXPECT_EQ(unwrap_migration_blob(blob, nullptr, &file_key).error().tpm_result, kKeyNotFound);
  }
}

TEST_P(EncryptedBlob, WithTheFileKeyAlone_IsUnderstoodWithIt) {
  Bytes blob = wrap_migration_blob(kState, nullptr, &key_).value();

  EXPECT_EQ(unwrap_migration_blob(blob, nullptr, &key_).value(), kState);
  EXPECT_EQ(unwrap_migration_blob(blob, &key_, &key_).value(), kState);
}

TEST_P(EncryptedBlob, WithTheFileKeyAloneCutAnywhere_IsRefused) {
  Bytes blob = wrap_migration_blob(kState, nullptr, &key_).value();
  ByteView content = ByteView(blob).subspan(10);
  for (size_t size = 0; size < content.size(); ++size) {
    Bytes cut = swtpm_blob(2, std::to_integer<uint8_t>(blob[5]), content.first(size));
    EXPECT_FALSE(unwrap_migration_blob(cut, nullptr, &key_).has_value()) << size << " bytes";
  }
}

// The list's own tag and length are not authenticated either.
TEST_P(EncryptedBlob, WithTheFileKeyAloneAnyByteChangedInAnyWay_NeverGivesAnotherState) {
  const Bytes blob = wrap_migration_blob(kState, nullptr, &key_).value();
  for (size_t i = 0; i < blob.size(); ++i) {
    for (unsigned change = 1; change < 256; ++change) {
      Bytes changed = blob;
      changed[i] ^= static_cast<std::byte>(change);
      ASSERT_EQ(unwrap_migration_blob(changed, nullptr, &key_).value_or(kState), kState)
          << "byte " << i << " ^ " << change;
    }
  }
}

TEST_P(EncryptedBlob, Version1_IsUnderstoodWithItsKeyAlone) {
  Bytes blob = swtpm_blob(1, GetParam().flags, version1_text_of(key_, kState));
  SwtpmKey wrong(key_.size());
  SwtpmKey other(48 - key_.size());

  EXPECT_EQ(unwrap(blob).value(), kState);
  EXPECT_EQ(unwrap_migration_blob(blob, &wrong).error().tpm_result, kDecryptError);
  EXPECT_EQ(unwrap_migration_blob(blob, &other).error().tpm_result, kBadKeyProperty);
  EXPECT_EQ(unwrap_migration_blob(blob, nullptr).error().tpm_result, kKeyNotFound);
}

TEST_P(EncryptedBlob, Version1WithAnyBitOfTheTextFlipped_IsRefused) {
  const Bytes blob = swtpm_blob(1, GetParam().flags, version1_text_of(key_, kState));
  for (size_t bit = 80; bit < blob.size() * 8; ++bit) {
    Bytes changed = blob;
    changed[bit / 8] ^= std::byte{1} << bit % 8;
    EXPECT_EQ(unwrap(changed).error().tpm_result, kDecryptError) << "bit " << bit;
  }
}

TEST_P(EncryptedBlob, UnknownElementsBefore_AreSkipped) {
  Bytes unknown = hex("0063 00000002 abcd");
  Bytes blob = GetParam().blob;
  blob.insert(blob.begin() + 10, unknown.begin(), unknown.end());
  blob[9] = static_cast<std::byte>(blob.size());

  EXPECT_EQ(unwrap(blob).value(), kState);
}

INSTANTIATE_TEST_SUITE_P(
    Keys, EncryptedBlob,
    testing::Values(
        Encryption{"Aes128", hex("000102030405060708090a0b0c0d0e0f"),
                   hex("0201000a00060000006c"
                       "000500000020"
                       "2b145e6966bcef07ee3763067f2ee298b66414501403d83a4b2989b01d9f1555"
                       "000300000020"
                       "df2492b7b549450f970879bb0eba60bedfc6a01f48083798ec3d9824860c7449"
                       "000700000010"
                       "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"),
                   0x06},
        Encryption{"Aes256",
                   hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
                   hex("0201000a00160000007c"
                       "000500000020"
                       "7e77d5f8db12454701c540b56dad944a11525e0fb299705fa8622c1ae6f14df3"
                       "000300000020"
                       "2428b7483a9a7c81e7ca0eba2b17e3ff3566b0b08b5307a56ac6f3691a2ba914"
                       "000700000020"
                       "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"),
                   0x16}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace vtpm
