#include "engine/keys/sealing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/hex.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

const Bytes kSalt(kSealSalt, std::byte{0x11});
const std::string kHexKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

SealingKey raw_key(char filler) {
  return {KeyKind::raw, Secret(Bytes(32, static_cast<std::byte>(filler)))};
}

Seal seal_of(const SealingKey& key) {
  return Seal::derive(key, {key.kind, {.log2_n = 4, .r = 1, .p = 1}, Bytes(kSealSalt)}).value();
}

class SealingKeyTest : public testing::Test {
 protected:
  std::string file(const std::string& content) {
    directory_.write("key", content);
    return directory_ / "key";
  }
  TemporaryDirectory directory_;
};

TEST_F(SealingKeyTest, Hex_Is32Bytes) {
  auto key = read_sealing_key("file=" + file(kHexKey + "\n")).value();

  EXPECT_EQ(key.kind, KeyKind::raw);
  EXPECT_EQ(to_bytes(key.secret.view()), hex(kHexKey));
}

TEST_F(SealingKeyTest, Binary_IsTheFileItself) {
  auto key = read_sealing_key("file=" + file(std::string(32, 'k')) + ",format=binary").value();

  EXPECT_EQ(to_bytes(key.secret.view()), to_bytes(std::string(32, 'k')));
}

TEST_F(SealingKeyTest, Passphrase_IsTheWholeFile) {
  auto key = read_sealing_key("pwdfile=" + file("several words\n")).value();

  EXPECT_EQ(key.kind, KeyKind::passphrase);
  EXPECT_EQ(to_bytes(key.secret.view()), to_bytes("several words\n"));
}

TEST_F(SealingKeyTest, KeyOfAnotherLength_IsRefused) {
  auto key = read_sealing_key("file=" + file(kHexKey.substr(0, 32)));

  EXPECT_EQ(key.error().code, Errc::invalid);
  EXPECT_THAT(key.error().message, HasSubstr("64"));
}

TEST_F(SealingKeyTest, WordsOfSwtpmsKeys_AreRefused) {
  EXPECT_THAT(read_sealing_key("file=" + file(kHexKey) + ",mode=aes-256-cbc").error().message,
              HasSubstr("'mode' is not known"));
}

TEST_F(SealingKeyTest, UnusableKey_IsNotRemoved) {
  EXPECT_FALSE(read_sealing_key("file=" + file("too short") + ",remove").has_value());

  EXPECT_EQ(directory_.read("key"), "too short");
}

TEST_F(SealingKeyTest, UsableKey_IsRemovedWhenAsked) {
  EXPECT_TRUE(read_sealing_key("file=" + file(kHexKey) + ",remove").has_value());

  EXPECT_FALSE(std::filesystem::exists(directory_ / "key"));
}

TEST(SealParameters, ForAPassphrase_HaveAFreshSaltAndACost) {
  auto first = new_seal_parameters(KeyKind::passphrase).value();
  auto second = new_seal_parameters(KeyKind::passphrase).value();

  EXPECT_NE(first.salt, second.salt);
  EXPECT_TRUE(is_affordable(first.cost));
}

TEST(SealParameters, CostsOutOfBounds_AreNotAffordable) {
  EXPECT_FALSE(is_affordable({.log2_n = 0, .r = 8, .p = 1}));
  EXPECT_FALSE(is_affordable({.log2_n = 63, .r = 8, .p = 1}));
  EXPECT_FALSE(is_affordable({.log2_n = 15, .r = 0, .p = 1}));
  EXPECT_FALSE(is_affordable({.log2_n = 24, .r = 255, .p = 1}));
  EXPECT_FALSE(is_affordable({.log2_n = 15, .r = 8, .p = 0}));
  EXPECT_FALSE(is_affordable({.log2_n = 15, .r = 8, .p = 65535}));
}

TEST(Seal, WhatWasClosed_Opens) {
  Seal seal = seal_of(raw_key('k'));

  auto closed = seal.close(kSalt, as_bytes("header"), as_bytes("state")).value();

  EXPECT_NE(closed.ciphertext, to_bytes("state"));
  EXPECT_EQ(seal.open(kSalt, as_bytes("header"), closed.ciphertext, closed.tag).value(),
            to_bytes("state"));
}

TEST(Seal, OfAnotherKeySaltOrHeader_DoesNotOpen) {
  Seal seal = seal_of(raw_key('k'));
  auto closed = seal.close(kSalt, as_bytes("header"), as_bytes("state")).value();

  for (const auto& opened :
       {seal_of(raw_key('x')).open(kSalt, as_bytes("header"), closed.ciphertext, closed.tag),
        seal.open(Bytes(kSealSalt), as_bytes("header"), closed.ciphertext, closed.tag),
        seal.open(kSalt, as_bytes("Header"), closed.ciphertext, closed.tag)}) {
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, Errc::corrupt);
  }
}

// Two texts with one key and one vector would give both away.
TEST(Seal, OtherSalt_GivesAnotherCiphertext) {
  Seal seal = seal_of(raw_key('k'));

  EXPECT_NE(seal.close(kSalt, {}, as_bytes("state")).value().ciphertext,
            seal.close(Bytes(kSealSalt), {}, as_bytes("state")).value().ciphertext);
}

TEST(Seal, KeyAndPassphraseOfTheSameBytes_AreDifferent) {
  SealingKey passphrase{KeyKind::passphrase, Secret(Bytes(32, std::byte{'k'}))};

  EXPECT_NE(seal_of(raw_key('k')).authenticate(as_bytes("header")).value(),
            seal_of(passphrase).authenticate(as_bytes("header")).value());
}

TEST(Seal, WithoutAKey_IsEmpty) {
  EXPECT_TRUE(Seal::derive({}, {}).value().empty());
}

}  // namespace
}  // namespace vtpm
