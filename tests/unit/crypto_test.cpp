// Known answers, computed with Python's hashlib and hmac and with openssl enc.
#include "engine/keys/crypto.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace vtpm {
namespace {

const Bytes kKey128 = hex("000102030405060708090a0b0c0d0e0f");
const Bytes kKey256 = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
const Bytes kIv = hex("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
const Bytes kText = to_bytes("sixteen bytes!!!sixteen bytes!!!");
const Bytes kText128 = hex("adaaf3209c2a456a80361b9442d498715608f9fe5199cf2aa750298672424907");
const Bytes kText256 = hex("abebebd94684338f25d33627e6c2cd6707ff62e78bdbcc0eb1813f26d32e4731");

TEST(Crypto, Aes128Cbc_HasTheKnownAnswerBothWays) {
  EXPECT_EQ(aes_cbc_encrypt(kKey128, kIv, kText).value(), kText128);
  EXPECT_EQ(aes_cbc_decrypt(kKey128, kIv, kText128).value(), kText);
}

TEST(Crypto, Aes256Cbc_HasTheKnownAnswerBothWays) {
  EXPECT_EQ(aes_cbc_encrypt(kKey256, kIv, kText).value(), kText256);
  EXPECT_EQ(aes_cbc_decrypt(kKey256, kIv, kText256).value(), kText);
}

// NIST's test case 16 for GCM.
const Bytes kGcmKey = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
const Bytes kGcmIvOfCase16 = hex("cafebabefacedbaddecaf888");
const Bytes kGcmAssociated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
const Bytes kGcmText =
    hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
const Bytes kGcmCiphertext =
    hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662");
const Bytes kGcmTagOfCase16 = hex("76fc6ece0f4e1768cddf8853bb2d551b");

TEST(Crypto, AesGcm_HasTheKnownAnswerBothWays) {
  auto sealed = aes_gcm_seal(kGcmKey, kGcmIvOfCase16, kGcmAssociated, kGcmText).value();

  EXPECT_EQ(sealed.ciphertext, kGcmCiphertext);
  EXPECT_EQ(sealed.tag, kGcmTagOfCase16);
  EXPECT_EQ(aes_gcm_open(kGcmKey, kGcmIvOfCase16, kGcmAssociated, kGcmCiphertext, kGcmTagOfCase16)
                .value(),
            kGcmText);
}

TEST(Crypto, AesGcmWithAnythingAltered_IsCorrupt) {
  Bytes tag = kGcmTagOfCase16;
  tag[15] ^= std::byte{1};

  EXPECT_EQ(aes_gcm_open(kGcmKey, kGcmIvOfCase16, kGcmAssociated, kGcmCiphertext, tag).error().code,
            Errc::corrupt);
  EXPECT_EQ(aes_gcm_open(kGcmKey, kGcmIvOfCase16, {}, kGcmCiphertext, kGcmTagOfCase16).error().code,
            Errc::corrupt);
}

TEST(Crypto, AesGcmOfNothing_StillAuthenticates) {
  auto sealed = aes_gcm_seal(kGcmKey, kGcmIvOfCase16, kGcmAssociated, {}).value();

  EXPECT_TRUE(
      aes_gcm_open(kGcmKey, kGcmIvOfCase16, kGcmAssociated, {}, sealed.tag).value().empty());
}

// RFC 5869, test cases 1 and 3.
TEST(Crypto, Hkdf_HasTheKnownAnswers) {
  Bytes key(22, std::byte{0x0b});
  Bytes info = hex("f0f1f2f3f4f5f6f7f8f9");
  std::string_view info_text(reinterpret_cast<const char*>(info.data()), info.size());  // NOLINT

  EXPECT_EQ(
      to_bytes(hkdf_sha256(key, hex("000102030405060708090a0b0c"), info_text, 42).value().view()),
      hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185"
          "865"));
  EXPECT_EQ(to_bytes(hkdf_sha256(key, {}, "", 42).value().view()),
            hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a9"
                "6c8"));
}

// RFC 7914, section 12.
TEST(Crypto, Scrypt_HasTheKnownAnswer) {
  EXPECT_EQ(
      to_bytes(scrypt(as_bytes("password"), as_bytes("NaCl"), {.log2_n = 10, .r = 8, .p = 16}, 64)
                   .value()
                   .view()),
      hex("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
          "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"));
}

TEST(Crypto, TextThatIsNoMultipleOfABlock_IsRefused) {
  EXPECT_FALSE(aes_cbc_encrypt(kKey128, kIv, Bytes(17)).has_value());
  EXPECT_FALSE(aes_cbc_decrypt(kKey128, kIv, Bytes(15)).has_value());
}

TEST(Crypto, InitialisationVectorOfAnotherSize_IsRefused) {
  EXPECT_FALSE(aes_cbc_encrypt(kKey128, Bytes(15), kText).has_value());
  EXPECT_FALSE(aes_cbc_encrypt(kKey128, Bytes(32), kText).has_value());
}

TEST(Crypto, HmacSha256_HasTheKnownAnswer) {
  EXPECT_EQ(hmac_sha256(kKey128, as_bytes("message")).value(),
            hex("a3e24a124c1900e52c406c42351252b0d07b751bbaa9a44ce6690158ff6f032b"));
}

TEST(Crypto, Sha256_HasTheKnownAnswer) {
  EXPECT_EQ(sha256(as_bytes("message")).value(),
            hex("ab530a13e45914982b79f9b7e3fba994cfd1f3fb22f71cea1afbf02b460c6d1d"));
}

TEST(Crypto, Sha512_HasTheKnownAnswer) {
  EXPECT_EQ(to_bytes(sha512(as_bytes("passphrase\n")).value().view()),
            hex("87e1534bd855b32c243fa064e5b9284ff8e914030689c8150ca8d3bd1dcc5c7e"
                "1a863888bb6588d4c45593c9f56430707d5347238ac085dd5b9959696d40bb36"));
}

TEST(Crypto, Pbkdf2_HasTheKnownAnswer) {
  auto key = pbkdf2_sha512(as_bytes("passphrase\n"), as_bytes("swtpm"), 1000, 32);

  EXPECT_EQ(to_bytes(key.value().view()),
            hex("8abdbb0c72ed14fb8e0284db094f31ce95281eeaa97620b0a292169b201c7d69"));
}

TEST(Crypto, RandomBytes_AreAsManyAsAskedForAndDiffer) {
  EXPECT_EQ(random_bytes(32).value().size(), 32u);
  EXPECT_NE(random_bytes(32).value(), random_bytes(32).value());
}

TEST(Crypto, Equal_IsOfBytesAndSizes) {
  EXPECT_TRUE(equal_in_constant_time(as_bytes("abc"), as_bytes("abc")));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("abc"), as_bytes("ab")));
}

}  // namespace
}  // namespace vtpm
