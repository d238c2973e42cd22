#include "cuse/state_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

RunAs myself() {
  return {"me", geteuid(), getegid()};
}

TEST(StateDirectory, Missing_IsMadeForTheUserAlone) {
  TemporaryDirectory parent;

  auto store = open_state_directory(parent / "web01", CreateState::if_missing, myself());

  ASSERT_TRUE(store.has_value()) << store.error().message;
  struct stat status {};
  ASSERT_EQ(stat((parent / "web01").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  EXPECT_EQ(status.st_uid, geteuid());
}

TEST(StateDirectory, MissingAndNotToBeMade_IsNotFound) {
  TemporaryDirectory parent;

  auto store = open_state_directory(parent / "web01", CreateState::never, myself());

  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, Errc::not_found);
  EXPECT_NE(access((parent / "web01").c_str(), F_OK), 0);
}

TEST(StateDirectory, Afterwards_ThisProcessIsWhatItWas) {
  TemporaryDirectory parent;
  auto user = geteuid();
  auto group = getegid();

  auto store = open_state_directory(parent.path(), CreateState::never, myself());

  EXPECT_EQ(geteuid(), user);
  EXPECT_EQ(getegid(), group);
}

TEST(StateDirectory, Refusal_SaysWhomItHasToBelongTo) {
  Error refused{Errc::denied, "cannot open /x: Permission denied"};

  EXPECT_THAT(explain_refusal(refused, RunAs{"vtpm", 1, 1}).message, HasSubstr("chown -R vtpm"));
}

TEST(StateDirectory, OtherFailures_AreLeftAsTheyAre) {
  Error busy{Errc::busy, "in use"};

  EXPECT_EQ(explain_refusal(busy, RunAs{"vtpm", 1, 1}).message, "in use");
}

}  // namespace
}  // namespace vtpm
