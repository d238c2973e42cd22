#include "engine/base/state_location.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vtpm {
namespace {

using testing::HasSubstr;

TEST(StateLocation, OfEitherFormat_IsParsedAndDescribed) {
  auto file = parse_state_location("file:/var/lib/vtpm/web01/state").value();
  auto dir = parse_state_location("dir:relative").value();

  EXPECT_EQ(file.format, StateFormat::file);
  EXPECT_EQ(file.path, "/var/lib/vtpm/web01/state");
  EXPECT_EQ(file.describe(), "file:/var/lib/vtpm/web01/state");
  EXPECT_EQ(dir.format, StateFormat::dir);
  EXPECT_EQ(dir.describe(), "dir:relative");
}

TEST(StateLocation, AnythingElse_IsRefusedWithWhatMayBeSaid) {
  for (const char* text : {"", "/var/lib/vtpm", "file:", "dir:", "tape:/dev/st0"}) {
    auto location = parse_state_location(text);
    ASSERT_FALSE(location.has_value()) << text;
    EXPECT_EQ(location.error().code, Errc::invalid);
    EXPECT_THAT(location.error().message, HasSubstr("file:PATH"));
  }
}

}  // namespace
}  // namespace vtpm
