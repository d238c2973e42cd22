#include "engine/state/file/state_file_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

const Bytes kData = hex("deadbeef01");

StateFileHeader some_header() {
  return {.revision = 3, .epoch = 0x01020304, .committed = 0x0001, .seal = {}};
}

Slot some_slot() {
  return {.epoch = 0x01020304,
          .blob = 0,
          .sealed = false,
          .removed = false,
          .writer = 0x00000902,
          .sequence = 7,
          .length = 5,
          .goes_with = {3, 0}};
}

Seal some_seal() {
  return Seal::derive({KeyKind::raw, Secret(Bytes(32))}, {KeyKind::raw, {}, Bytes(kSealSalt)})
      .value();
}

Bytes with_flipped_bit(Bytes bytes, size_t bit) {
  bytes.at(bit / 8) ^= static_cast<std::byte>(1U << bit % 8);
  return bytes;
}

TEST(StateFileLayout, IsAsDocumented) {
  EXPECT_EQ(kStateFileSize, 3153920u);
  EXPECT_EQ(slot_offset(0, 0), 8192u);
  EXPECT_EQ(slot_offset(0, 1), 270336u);
  EXPECT_EQ(slot_offset(3, 0), 1581056u);
  EXPECT_EQ(kLargestData, 262016u);
}

TEST(StateFileLayout, EveryBlobHasItsNumber) {
  for (size_t number = 0; number < kBlobs; ++number) {
    EXPECT_EQ(blob_number(blob_name(number)), number);
  }
  EXPECT_EQ(blob_number({TpmVersion::tpm20, BlobKind::permanent}), 0u);
  EXPECT_EQ(blob_number({TpmVersion::tpm12, BlobKind::savestate}), 5u);
}

// The worked example of docs/state_format.md.
TEST(StateFileHeaderBytes, AreAsDocumented) {
  EXPECT_EQ(
      encode_header(some_header(), {}).value(),
      hex("7674706d66696c65 0002 0002 00040000 0000000000000003 01020304 0001 00 00 00 00 0000"
          "0000000000000000000000000000000000000000000000000000000000000000"
          "0000000000000000000000000000000000000000000000000000000000000000"
          "89ac3183999fc6071f388130c26d988259c234ba17857ccd04b855dcea465767"));
}

TEST(StateFileHeaderBytes, AreReadAsTheyWereWritten) {
  StateFileHeader header = some_header();
  header.seal = {
      KeyKind::passphrase, {.log2_n = 15, .r = 8, .p = 3}, Bytes(kSealSalt, std::byte{9})};

  auto read = decode_header(encode_header(header, some_seal()).value()).value();

  EXPECT_EQ(read.revision, header.revision);
  EXPECT_EQ(read.epoch, header.epoch);
  EXPECT_EQ(read.committed, header.committed);
  EXPECT_EQ(read.seal.kind, header.seal.kind);
  EXPECT_EQ(read.seal.cost, header.seal.cost);
  EXPECT_EQ(read.seal.salt, header.seal.salt);
}

TEST(StateFileHeaderBytes, WithAnyBitFlipped_AreDamaged) {
  Bytes bytes = encode_header(some_header(), {}).value();

  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    EXPECT_EQ(decode_header(with_flipped_bit(bytes, bit)).error().code, Errc::corrupt) << bit;
  }
}

TEST(StateFileHeaderBytes, CutOffAnywhere_AreDamaged) {
  Bytes bytes = encode_header(some_header(), {}).value();

  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_header(ByteView(bytes).first(size)).error().code, Errc::corrupt) << size;
  }
}

// As a later version would write it: with a checksum that fits.
Bytes with_field(size_t offset, ByteView value) {
  Bytes bytes = encode_header(some_header(), {}).value();
  std::ranges::copy(value, bytes.begin() + static_cast<ptrdiff_t>(offset));
  Bytes sum = sha256(ByteView(bytes).first(100)).value();
  std::ranges::copy(sum, bytes.begin() + 100);
  return bytes;
}

TEST(StateFileHeaderBytes, OfANewerFormat_AreUnsupportedAndSaySo) {
  auto newer = decode_header(with_field(10, hex("0003")));

  EXPECT_EQ(newer.error().code, Errc::unsupported);
  EXPECT_THAT(newer.error().message, HasSubstr("format version 3"));
}

TEST(StateFileHeaderBytes, OfANewerVersionThatThisOneCanRead_AreRead) {
  EXPECT_TRUE(decode_header(with_field(8, hex("0003"))).has_value());
}

TEST(StateFileHeaderBytes, OfVersion1_AreReadAndWrittenAsTheyWere) {
  Bytes bytes =
      hex("7674706d66696c65 0001 0001 00040000 0000000000000003 01020304 0001 00 00 00 00 0000"
          "0000000000000000000000000000000000000000000000000000000000000000"
          "0000000000000000000000000000000000000000000000000000000000000000"
          "8a1a0dc5a178c823cd21a29aa4d259f58f6bac2df5fa7daf01fded77144ced86");

  auto header = decode_header(bytes).value();

  EXPECT_EQ(header.version, 1);
  EXPECT_EQ(encode_header(header, {}).value(), bytes);
}

TEST(StateFileHeaderBytes, WithWhatThisBuildLacks_AreUnsupported) {
  for (const Bytes& bytes : {with_field(12, hex("00080000")),     // another slot size
                             with_field(30, hex("02 01")),        // another cipher
                             with_field(30, hex("01 00")),        // a cipher without a key
                             with_field(30, hex("01 03")),        // another kind of key
                             with_field(30, hex("01 02 3f"))}) {  // an impossible cost
    EXPECT_EQ(decode_header(bytes).error().code, Errc::unsupported);
  }
}

TEST(StateFileHeaderBytes, Sealed_AreAuthenticForTheirSealAlone) {
  StateFileHeader header = some_header();
  header.seal.kind = KeyKind::raw;
  Bytes bytes = encode_header(header, some_seal()).value();
  Seal other = Seal::derive({KeyKind::raw, Secret(Bytes(32, std::byte{1}))}, header.seal).value();

  EXPECT_TRUE(is_authentic(bytes, some_seal()).value());
  EXPECT_FALSE(is_authentic(bytes, other).value());
  EXPECT_FALSE(is_authentic(with_flipped_bit(bytes, 29 * 8), some_seal()).value());
}

TEST(SlotBytes, AreAsDocumented) {
  EXPECT_EQ(encode_slot(some_slot(), kData, {}).value(),
            hex("736c6f74 01020304 00 04 0000 00000902 0000000000000007 00000005 00000000"
                "0000000000000000000000000000000000000000000000000000000000000000"
                "00000000000000000000000000000000"
                "5d696bbc202505378beb9d65af90ab57dacae921fd56d9609b5fad73d02b7385"
                "0000000000000003 0000000000000000"
                "deadbeef01"));
}

TEST(SlotBytes, AreReadAsTheyWereWritten) {
  Bytes bytes = encode_slot(some_slot(), kData, {}).value();

  auto slot = decode_slot(bytes).value();

  EXPECT_EQ(slot.epoch, 0x01020304u);
  EXPECT_EQ(slot.sequence, 7u);
  EXPECT_EQ(slot.writer, 0x902u);
  EXPECT_FALSE(slot.removed);
  EXPECT_FALSE(slot.again);
  EXPECT_EQ(slot.goes_with, some_slot().goes_with);
  EXPECT_EQ(open_slot(bytes, slot, {}).value(), kData);
}

// What version 1 wrote: the worked example of then.
TEST(SlotBytes, OfVersion1_AreRead) {
  Bytes bytes =
      hex("736c6f74 01020304 00 00 0000 00000902 0000000000000007 00000005 00000000"
          "0000000000000000000000000000000000000000000000000000000000000000"
          "00000000000000000000000000000000"
          "c0f6efe6b71d45c4161c2f82d7f21ac42d4e3fa0955dbac2c74866b736fecf1a"
          "deadbeef01");

  auto slot = decode_slot(bytes).value();

  EXPECT_TRUE(slot.of_version_1);
  EXPECT_EQ(slot.sequence, 7u);
  EXPECT_EQ(open_slot(bytes, slot, {}).value(), kData);
}

TEST(SlotBytes, WithAnyBitFlipped_AreDamaged) {
  Bytes bytes = encode_slot(some_slot(), kData, {}).value();

  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    EXPECT_EQ(decode_slot(with_flipped_bit(bytes, bit)).error().code, Errc::corrupt) << bit;
  }
}

TEST(SlotBytes, CutOffOrTooLong_AreDamaged) {
  Bytes bytes = encode_slot(some_slot(), kData, {}).value();
  bytes.push_back(std::byte{});

  EXPECT_FALSE(decode_slot(bytes).has_value());
  for (size_t size = 0; size < bytes.size() - 1; ++size) {
    EXPECT_EQ(decode_slot(ByteView(bytes).first(size)).error().code, Errc::corrupt) << size;
  }
}

TEST(SlotBytes, Sealed_OpenWithTheirSealAlone) {
  Slot slot = some_slot();
  slot.sealed = true;
  Bytes bytes = encode_slot(slot, kData, some_seal()).value();

  EXPECT_EQ(open_slot(bytes, slot, some_seal()).value(), kData);
  EXPECT_EQ(open_slot(bytes, slot, {}).error().code, Errc::corrupt);
}

TEST(SlotBytes, SealedAndAltered_DoNotOpen) {
  Slot slot = some_slot();
  slot.sealed = true;
  Bytes bytes = encode_slot(slot, kData, some_seal()).value();

  for (size_t offset : {4u, 8u, 12u, 16u, 24u, 32u, 64u, 112u, 120u, 128u}) {
    EXPECT_EQ(open_slot(with_flipped_bit(bytes, offset * 8), slot, some_seal()).error().code,
              Errc::corrupt)
        << offset;
  }
}

TEST(SlotBytes, PlainInASealedFile_DoNotOpen) {
  Bytes bytes = encode_slot(some_slot(), kData, {}).value();

  EXPECT_EQ(open_slot(bytes, some_slot(), some_seal()).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace vtpm
