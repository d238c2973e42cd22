#include "cuse/daemon/message_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vtpm {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::FieldsAre;
using testing::IsEmpty;

const MessageLimit::Kind kUndone{"daemon.cpp", 10};
const MessageLimit::Kind kFailed{"daemon.cpp", 20};
constexpr MessageLimit::Time kStart{seconds(1000)};
constexpr int kError = 3;
constexpr int kInfo = 6;

TEST(MessageLimit, SameText_IsToldOnceAMinute) {
  MessageLimit limit;

  EXPECT_TRUE(limit.admit(kUndone, kError, "full", kStart));
  EXPECT_FALSE(limit.admit(kUndone, kError, "full", kStart + seconds(59)));
  EXPECT_TRUE(limit.admit(kUndone, kError, "full", kStart + seconds(60)));
}

TEST(MessageLimit, TextsInTurns_AreToldOnceEach) {
  MessageLimit limit;

  EXPECT_TRUE(limit.admit(kUndone, kError, "a", kStart));
  EXPECT_TRUE(limit.admit(kUndone, kError, "b", kStart));
  EXPECT_FALSE(limit.admit(kUndone, kError, "a", kStart));
  EXPECT_FALSE(limit.admit(kUndone, kError, "b", kStart));
}

TEST(MessageLimit, EverNewTexts_AreToldThreeTimesAMinute) {
  MessageLimit limit;
  int told = 0;

  for (int i = 0; i < 1000; ++i) {
    told += limit.admit(kUndone, kError, std::to_string(i), kStart) ? 1 : 0;
  }

  EXPECT_EQ(told, 3);
}

TEST(MessageLimit, OtherKind_HasALimitOfItsOwn) {
  MessageLimit limit;
  limit.admit(kUndone, kError, "full", kStart);

  EXPECT_TRUE(limit.admit(kFailed, kError, "full", kStart));
}

TEST(MessageLimit, LeftOut_IsCountedByKindAndToldOnceWhenTheMinuteIsOver) {
  MessageLimit limit;
  for (const char* text : {"a", "a", "b", "b", "b"}) {
    limit.admit(kUndone, kError, text, kStart);
  }
  limit.admit(kFailed, kInfo, "c", kStart);

  EXPECT_THAT(limit.left_out(kStart + seconds(59)), IsEmpty());
  EXPECT_THAT(limit.left_out(kStart + seconds(60)), ElementsAre(FieldsAre(kError, 3U, "a")));
  EXPECT_THAT(limit.left_out(kStart + seconds(61)), IsEmpty());
}

TEST(MessageLimit, LeftOutBeforeANewMinuteBegan_IsNotForgotten) {
  MessageLimit limit;
  limit.admit(kUndone, kError, "a", kStart);
  limit.admit(kUndone, kError, "a", kStart);
  limit.admit(kUndone, kError, "b", kStart + seconds(70));

  EXPECT_THAT(limit.left_out(kStart + seconds(130)), ElementsAre(FieldsAre(kError, 1U, "b")));
}

TEST(MessageLimit, AtTheEnd_AllThatWasLeftOutIsTold) {
  MessageLimit limit;
  limit.admit(kUndone, kError, "a", kStart);
  limit.admit(kUndone, kError, "a", kStart);

  EXPECT_THAT(limit.left_out_so_far(), ElementsAre(FieldsAre(kError, 1U, "a")));
}

}  // namespace
}  // namespace vtpm
