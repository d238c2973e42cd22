// State files with a file key. The encrypted literals were made with Python and openssl enc from
// docs/state_format.md alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "engine/keys/crypto.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/swtpm_files.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

const Bytes kState = to_bytes("libtpms state");
const Bytes kKey128 = hex("000102030405060708090a0b0c0d0e0f");
const Bytes kKey256 = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

Bytes joined(ByteView a, ByteView b) {
  return BigEndianWriter().bytes(a).bytes(b).take();
}

Bytes padded(ByteView data, size_t multiple) {
  size_t count = multiple - data.size() % multiple;
  return joined(data, Bytes(count, static_cast<std::byte>(count)));
}

Bytes version1(ByteView key, ByteView digest, ByteView data, uint16_t flags) {
  return swtpm_blob(1, flags, version1_text(key, digest, data));
}

struct Encryption {
  const char* name;
  Bytes key;
  uint16_t flags;
  Bytes blob;  // of kState
};

class EncryptedFile : public testing::TestWithParam<Encryption> {
 protected:
  Result<Bytes> unwrap(ByteView blob) { return unwrap_swtpm_blob(blob, &key_); }
  Bytes version1_of(ByteView data) {
    return version1(key_.view(), sha256(data).value(), data, GetParam().flags);
  }

  const SwtpmKey key_{GetParam().key};
};

TEST_P(EncryptedFile, MadeElsewhere_IsUnderstood) {
  EXPECT_EQ(unwrap(GetParam().blob).value(), kState);
}

TEST_P(EncryptedFile, MadeHere_IsLaidOutAsSwtpmDoes) {
  Bytes blob = wrap_swtpm_blob(kState, &key_).value();

  EXPECT_EQ(blob.size(), GetParam().blob.size());
  EXPECT_THAT(std::vector(blob.begin(), blob.begin() + 16),
              testing::ElementsAreArray(GetParam().blob.begin(), GetParam().blob.begin() + 16));
  EXPECT_EQ(element_in(blob, 3).size(), 32u) << "the authentication code";
  EXPECT_EQ(element_in(blob, 6).size(), key_.size()) << "the initialisation vector";
}

TEST_P(EncryptedFile, MadeHere_IsEncryptedAndAuthenticatedOverTheWholeVector) {
  Bytes blob = wrap_swtpm_blob(kState, &key_).value();
  ByteView text = element_in(blob, 2);
  ByteView iv = element_in(blob, 6);

  EXPECT_EQ(aes_cbc_decrypt(key_.view(), iv.first(16), text).value(), padded(kState, key_.size()));
  EXPECT_EQ(hmac_sha256(key_.view(), joined(text, iv)).value(), to_bytes(element_in(blob, 3)));
}

TEST_P(EncryptedFile, StateOfAnySize_ComesBack) {
  for (size_t size = 0; size <= 70; ++size) {
    Bytes state(size, std::byte{0x5a});

    EXPECT_EQ(unwrap(wrap_swtpm_blob(state, &key_).value()).value(), state);
  }
}

// swtpm's buffer for the vector grows to the longest that was used in its process and never
// shrinks.
TEST_P(EncryptedFile, VectorOf32Bytes_IsUnderstood) {
  Bytes iv(32, std::byte{0xa5});
  Bytes text =
      aes_cbc_encrypt(key_.view(), ByteView(iv).first(16), padded(kState, key_.size())).value();

  EXPECT_EQ(
      unwrap(swtpm_blob(2, GetParam().flags, file_key_elements(key_.view(), text, iv))).value(),
      kState);
}

TEST_P(EncryptedFile, UnknownElementsBefore_AreSkipped) {
  Bytes content = joined(swtpm_element(99, hex("abcd")), ByteView(GetParam().blob).subspan(10));

  EXPECT_EQ(unwrap(swtpm_blob(2, GetParam().flags, content)).value(), kState);
}

// -- what is wrong is told apart --

void expect_refused(const Result<Bytes>& state, Errc code, uint32_t tpm_result,
                    const std::string& message) {
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error().code, code);
  EXPECT_EQ(state.error().tpm_result, tpm_result);
  EXPECT_THAT(state.error().message, HasSubstr(message));
}

TEST_P(EncryptedFile, NoKey_AsksForIt) {
  expect_refused(unwrap_swtpm_blob(GetParam().blob, nullptr), Errc::unsupported, 0x0d,
                 "no key was given; give that key");
}

TEST_P(EncryptedFile, KeyForAPlainFile_IsRefusedAndSaysWhatToDo) {
  Bytes plain = wrap_swtpm_blob(kState, nullptr).value();

  expect_refused(unwrap(plain), Errc::invalid, 0x28, "use it without a key");
}

TEST_P(EncryptedFile, KeyForAPlainFileOfVersion1_IsRefusedAndSaysWhatToDo) {
  expect_refused(unwrap(swtpm_blob(1, 0, kState)), Errc::invalid, 0x28, "use it without a key");
}

TEST_P(EncryptedFile, KeyOfTheOtherLength_NamesTheModeThatIsWanted) {
  SwtpmKey other(48 - key_.size());

  expect_refused(unwrap_swtpm_blob(GetParam().blob, &other), Errc::unsupported, 0x28,
                 "mode=aes-" + std::to_string(key_.size() * 8) + "-cbc");
}

TEST_P(EncryptedFile, WrongKey_SaysThatItIsThatOrAnAlteration) {
  Bytes other = GetParam().key;
  other.back() ^= std::byte{1};
  SwtpmKey wrong{ByteView(other)};

  expect_refused(unwrap_swtpm_blob(GetParam().blob, &wrong), Errc::corrupt, 0x21,
                 "the file key is wrong, or the state was altered");
}

TEST_P(EncryptedFile, WithoutOneOfItsElements_IsDamaged) {
  for (uint16_t missing : std::initializer_list<uint16_t>{2, 3, 6}) {
    Bytes blob = GetParam().blob;
    ByteView data = element_in(blob, missing);
    blob[static_cast<size_t>(data.data() - blob.data()) - 5] = std::byte{99};

    expect_refused(unwrap(blob), Errc::corrupt, 0x03, "parts of the encryption are missing");
  }
}

TEST_P(EncryptedFile, VectorThatIsTooShort_IsDamaged) {
  Bytes text(32);

  expect_refused(
      unwrap(swtpm_blob(2, GetParam().flags, file_key_elements(key_.view(), text, Bytes(15)))),
      Errc::corrupt, 0x03, "parts of the encryption are missing");
}

TEST_P(EncryptedFile, TextThatIsNoMultipleOfABlock_IsDamaged) {
  Bytes iv(16);

  expect_refused(
      unwrap(swtpm_blob(2, GetParam().flags, file_key_elements(key_.view(), Bytes(17), iv))),
      Errc::corrupt, 0x03, "parts of the encryption are missing");
}

TEST_P(EncryptedFile, WrongPaddingUnderARightCode_IsDamaged) {
  Bytes iv(16);
  for (uint8_t last : std::initializer_list<uint8_t>{0, 33, 255}) {
    Bytes text = aes_cbc_encrypt(key_.view(), iv, Bytes(32, std::byte{last})).value();

    expect_refused(
        unwrap(swtpm_blob(2, GetParam().flags, file_key_elements(key_.view(), text, iv))),
        Errc::corrupt, 0x21, "the padding is wrong");
  }
}

TEST_P(EncryptedFile, NoTextUnderARightCode_IsDamaged) {
  expect_refused(
      unwrap(swtpm_blob(2, GetParam().flags, file_key_elements(key_.view(), {}, Bytes(16)))),
      Errc::corrupt, 0x21, "the padding is wrong");
}

TEST_P(EncryptedFile, CutAnywhere_IsDamaged) {
  ByteView blob = GetParam().blob;
  for (size_t size = 0; size < blob.size(); ++size) {
    expect_refused(unwrap(blob.first(size)), Errc::corrupt, 0x03, "damaged state");
  }
}

// The same with a header that says so.
TEST_P(EncryptedFile, CutAnywhereAndTheTotalAmended_IsDamaged) {
  ByteView content = ByteView(GetParam().blob).subspan(10);
  for (size_t size = 0; size < content.size(); ++size) {
    expect_refused(unwrap(swtpm_blob(2, GetParam().flags, content.first(size))), Errc::corrupt,
                   0x03, "parts of the encryption are missing");
  }
}

TEST_P(EncryptedFile, AnyByteChangedInAnyWay_IsRefusedOrTheSameState) {
  for (size_t i = 0; i < GetParam().blob.size(); ++i) {
    for (unsigned change = 1; change < 256; ++change) {
      Bytes changed = GetParam().blob;
      changed[i] ^= static_cast<std::byte>(change);
      ASSERT_EQ(unwrap(changed).value_or(kState), kState) << "byte " << i << " ^ " << change;
    }
  }
}

TEST_P(EncryptedFile, AnyByteOfTheContentChangedInAnyWay_IsRefused) {
  for (size_t i = 10; i < GetParam().blob.size(); ++i) {
    for (unsigned change = 1; change < 256; ++change) {
      Bytes changed = GetParam().blob;
      changed[i] ^= static_cast<std::byte>(change);
      ASSERT_FALSE(unwrap(changed).has_value()) << "byte " << i << " ^ " << change;
    }
  }
}

// -- version 1 --

TEST_P(EncryptedFile, Version1_IsUnderstood) {
  EXPECT_EQ(unwrap(version1_of(kState)).value(), kState);
}

TEST_P(EncryptedFile, Version1OfAnySize_IsUnderstood) {
  for (size_t size = 0; size <= 70; ++size) {
    Bytes state(size, std::byte{0x5a});

    EXPECT_EQ(unwrap(version1_of(state)).value(), state);
  }
}

TEST_P(EncryptedFile, Version1WithoutAKey_AsksForIt) {
  expect_refused(unwrap_swtpm_blob(version1_of(kState), nullptr), Errc::unsupported, 0x0d,
                 "no key was given");
}

TEST_P(EncryptedFile, Version1WithAKeyOfTheOtherLength_NamesTheMode) {
  SwtpmKey other(48 - key_.size());

  expect_refused(unwrap_swtpm_blob(version1_of(kState), &other), Errc::unsupported, 0x28, "mode=");
}

TEST_P(EncryptedFile, Version1OfAnotherKey_IsRefused) {
  SwtpmKey wrong(key_.size());

  expect_refused(unwrap_swtpm_blob(version1_of(kState), &wrong), Errc::corrupt, 0x21,
                 "the file key is wrong, or the state was altered");
}

TEST_P(EncryptedFile, Version1WithAnotherDigest_IsRefused) {
  expect_refused(unwrap(version1(key_.view(), Bytes(32), kState, GetParam().flags)), Errc::corrupt,
                 0x21, "the state was altered");
}

TEST_P(EncryptedFile, Version1ThatIsShorterThanADigest_IsRefused) {
  expect_refused(unwrap(version1(key_.view(), Bytes(31), {}, GetParam().flags)), Errc::corrupt,
                 0x21, "the state was altered");
}

TEST_P(EncryptedFile, Version1CutAnywhereAndTheTotalAmended_IsCorrupt) {
  Bytes blob = version1_of(kState);
  ByteView content = ByteView(blob).subspan(10);
  for (size_t size = 0; size < content.size(); ++size) {
    EXPECT_EQ(unwrap(swtpm_blob(1, GetParam().flags, content.first(size))).error().code,
              Errc::corrupt)
        << size << " bytes";
  }
}

TEST_P(EncryptedFile, Version1WithAnyByteOfTheContentChanged_IsRefused) {
  Bytes blob = version1_of(kState);
  for (size_t i = 10; i < blob.size(); ++i) {
    Bytes changed = blob;
    changed[i] ^= std::byte{0x80};
    EXPECT_EQ(unwrap(changed).error().code, Errc::corrupt) << "byte " << i;
  }
}

TEST(EncryptedFileExample, OfTheFormatsPage_IsUnderstood) {
  SwtpmKey key{ByteView(kKey128)};

  EXPECT_EQ(unwrap_swtpm_blob(hex("02 01 00 0a 00 01 00 00 00 5c  00 02 00 00 00 10"
                                  "7f 24 99 1f f5 ab c1 90 96 c2 e3 08 32 bc de f5"
                                  "00 03 00 00 00 20"
                                  "13 f2 ee 64 9e 4c e7 de 5f 9a d7 99 c2 5c fd 55"
                                  "1a d8 e1 91 5f a5 a3 ab ec fa d4 1e 50 bb 6b 1b"
                                  "00 06 00 00 00 10"
                                  "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af"),
                              &key)
                .value(),
            hex("deadbeef01"));
}

INSTANTIATE_TEST_SUITE_P(
    Keys, EncryptedFile,
    testing::Values(
        Encryption{"Aes128", kKey128, 0x01,
                   hex("0201000a00010000005c"
                       "000200000010"
                       "8c0167ead8a29e72f66eef97ee40416b"
                       "000300000020"
                       "603736330b460d7c29935008f2ec6b3451f8c72e8f6bddc781468c9c119dea7e"
                       "000600000010"
                       "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf")},
        Encryption{"Aes256", kKey256, 0x09,
                   hex("0201000a00090000007c"
                       "000200000020"
                       "642cf30c241a32b7c35d474db3e76131601120c8d1e2dd36ad2fcc5d41918055"
                       "000300000020"
                       "002214d4c9bb5fee7e8a90fbbb06fb66069d4d5b966fa64bfb5e98d6e7bf4ec8"
                       "000600000020"
                       "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf")}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace vtpm
