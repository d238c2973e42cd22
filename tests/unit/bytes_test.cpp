#include "engine/base/bytes.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace vtpm {
namespace {

TEST(BigEndianReader, Integers_AreReadMostSignificantByteFirst) {
  Bytes bytes = hex("01 0203 04050607");
  BigEndianReader reader(bytes);

  EXPECT_EQ(reader.u8(), 0x01);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u32(), 0x04050607u);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(BigEndianReader, EmptyInput_IsFineUntilSomethingIsAskedFor) {
  BigEndianReader reader(ByteView{});

  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(BigEndianReader, AskedForTooMuch_YieldsZeroAndStaysFailed) {
  Bytes bytes = hex("ff ff ff");
  BigEndianReader reader(bytes);

  EXPECT_EQ(reader.u32(), 0u);
  EXPECT_EQ(reader.u8(), 0) << "what was left is not handed out after a failure";
  EXPECT_FALSE(reader.ok());
}

TEST(BigEndianReader, BytesBeyondTheEnd_AreAnEmptyView) {
  Bytes bytes = hex("0102");
  BigEndianReader reader(bytes);

  EXPECT_TRUE(reader.bytes(3).empty());
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(BigEndianReader, HugeCount_DoesNotWrapAround) {
  Bytes bytes = hex("0102");
  BigEndianReader reader(bytes);
  reader.u8();

  EXPECT_TRUE(reader.bytes(SIZE_MAX).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(BigEndianReader, NoBytes_AreAlwaysThere) {
  BigEndianReader reader(ByteView{});

  EXPECT_TRUE(reader.bytes(0).empty());
  EXPECT_TRUE(reader.ok());
}

TEST(BigEndianReader, Bytes_AreAViewIntoTheInput) {
  Bytes bytes = hex("010203");
  BigEndianReader reader(bytes);
  reader.u8();

  EXPECT_EQ(reader.bytes(2).data(), bytes.data() + 1);
}

TEST(BigEndianWriter, Integers_AreWrittenMostSignificantByteFirst) {
  Bytes tail = hex("aabb");

  Bytes written = BigEndianWriter().u8(0x01).u16(0x0203).u32(0x04050607).bytes(tail).take();

  EXPECT_EQ(written, hex("01 0203 04050607 aabb"));
}

}  // namespace
}  // namespace vtpm
