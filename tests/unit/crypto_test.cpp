// Known answers, computed with Python's hashlib and hmac and with openssl enc.
#include "engine/crypto.h"

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
