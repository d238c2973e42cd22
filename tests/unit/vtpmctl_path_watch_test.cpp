#include "ctl/tool/device/path_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

class PathWatch : public testing::Test {
 protected:
  static std::chrono::steady_clock::time_point in(std::chrono::seconds time) {
    return std::chrono::steady_clock::now() + time;
  }

  TemporaryDirectory directory_;
  const std::string node_ = directory_ / "node";
  const std::string link_ = directory_ / "vtpm/by-name/web01";
};

TEST_F(PathWatch, ThatIsThere_IsSeenAtOnce) {
  directory_.write("node", "");

  EXPECT_TRUE(wait_for_path(node_, in(std::chrono::seconds(0))));
}

TEST_F(PathWatch, ThatDoesNotAppear_IsGivenUpAtTheDeadline) {
  EXPECT_FALSE(wait_for_path(link_, in(std::chrono::seconds(0))));
}

TEST_F(PathWatch, LinkInDirectoriesThatAreMadeForIt_IsSeen) {
  directory_.write("node", "");
  std::thread udev([this] {
    std::filesystem::create_directories(directory_ / "vtpm/by-name");
    std::filesystem::create_symlink(node_, directory_ / "vtpm/by-name/.temporary");
    std::filesystem::rename(directory_ / "vtpm/by-name/.temporary", link_);
  });

  EXPECT_TRUE(wait_for_path(link_, in(std::chrono::hours(1))));
  udev.join();
}

TEST_F(PathWatch, LinkWhoseTargetComesLater_IsSeenWhenItLeadsSomewhere) {
  std::filesystem::create_directories(directory_ / "vtpm/by-name");
  std::filesystem::create_symlink("../../node", link_);

  EXPECT_FALSE(wait_for_path(link_, in(std::chrono::seconds(0))));
  std::thread daemon([this] { directory_.write("node", ""); });
  EXPECT_TRUE(wait_for_path(link_, in(std::chrono::hours(1))));
  daemon.join();
}

}  // namespace
}  // namespace vtpm
