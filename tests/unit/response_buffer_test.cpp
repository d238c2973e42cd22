#include "cuse/nodes/response_buffer.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace vtpm {
namespace {

TEST(ResponseBuffer, Made_HasNothing) {
  ResponseBuffer buffer;

  EXPECT_FALSE(buffer.pending());
  EXPECT_FALSE(buffer.unread());
  EXPECT_TRUE(buffer.take(100).empty());
}

TEST(ResponseBuffer, Filled_IsPendingAndUnread) {
  ResponseBuffer buffer;

  buffer.put(hex("01020304"));

  EXPECT_TRUE(buffer.pending());
  EXPECT_TRUE(buffer.unread());
}

TEST(ResponseBuffer, PartialRead_IsPendingAndNoLongerUnread) {
  ResponseBuffer buffer;
  buffer.put(hex("01020304"));

  EXPECT_EQ(buffer.take(3), hex("010203"));

  EXPECT_TRUE(buffer.pending());
  EXPECT_FALSE(buffer.unread());
}

TEST(ResponseBuffer, LastRead_GivesTheRestAndEmptiesIt) {
  ResponseBuffer buffer;
  buffer.put(hex("01020304"));
  buffer.take(3);

  EXPECT_EQ(buffer.take(100), hex("04"));

  EXPECT_FALSE(buffer.pending());
  EXPECT_TRUE(buffer.take(100).empty());
}

TEST(ResponseBuffer, ReadOfNothing_LeavesItUnread) {
  ResponseBuffer buffer;
  buffer.put(hex("01020304"));

  EXPECT_TRUE(buffer.take(0).empty());

  EXPECT_TRUE(buffer.unread());
}

TEST(ResponseBuffer, Discarded_HasNothing) {
  ResponseBuffer buffer;
  buffer.put(hex("01020304"));
  buffer.take(1);

  buffer.discard();

  EXPECT_FALSE(buffer.pending());
  EXPECT_TRUE(buffer.take(100).empty());
}

TEST(ResponseBuffer, FilledOverATail_HasTheNewResponseOnly) {
  ResponseBuffer buffer;
  buffer.put(hex("01020304"));
  buffer.take(1);

  buffer.put(hex("aabb"));

  EXPECT_TRUE(buffer.unread());
  EXPECT_EQ(buffer.take(100), hex("aabb"));
}

}  // namespace
}  // namespace vtpm
