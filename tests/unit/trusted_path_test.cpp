// Links of one's own and of root; that those of others are not followed takes two users:
// tests/guest/state_verbs.sh.
#include "engine/base/trusted_path.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

namespace fs = std::filesystem;

class TrustedPath : public testing::Test {
 protected:
  TrustedPath() {
    fs::create_directories(directory_ / "real/inner");
    directory_.write("real/inner/file", "content");
  }

  static std::string content(const std::string& path) {
    auto opened = open_trusted(path, O_RDONLY);
    std::array<char, 16> text{};
    ssize_t size = opened ? ::read(opened->fd.get(), text.data(), text.size()) : -1;
    return size < 0 ? "cannot be read" : std::string(text.data(), static_cast<size_t>(size));
  }

  TemporaryDirectory directory_;
  const std::string file_ = directory_ / "real/inner/file";
  const std::string link_ = directory_ / "link";
};

TEST_F(TrustedPath, WithoutLinks_IsOpened) {
  EXPECT_EQ(content(file_), "content");
  EXPECT_EQ(content(directory_ / "real//./inner/../inner/file"), "content");
  EXPECT_FALSE(open_trusted(file_, O_RDONLY)->by_link);
}

TEST_F(TrustedPath, OwnLinkAsTheLastName_IsFollowedAndTold) {
  fs::create_symlink("real/inner/file", link_);
  EXPECT_EQ(content(link_), "content");
  EXPECT_TRUE(open_trusted(link_, O_PATH)->by_link);
}

TEST_F(TrustedPath, OwnLinkOnTheWay_IsFollowed) {
  fs::create_symlink(directory_ / "real", link_);
  fs::create_symlink("../link/inner", directory_ / "real/again");
  EXPECT_EQ(content(directory_ / "link/again/file"), "content");
  EXPECT_FALSE(open_trusted(directory_ / "link/again/file", O_RDONLY)->by_link);
}

TEST_F(TrustedPath, LinkToADirectory_IsFollowedWithAndWithoutASlash) {
  fs::create_symlink("real", link_);
  EXPECT_TRUE(open_trusted(link_, O_RDONLY | O_DIRECTORY).has_value());
  EXPECT_TRUE(open_trusted(link_ + "/", O_RDONLY | O_DIRECTORY).has_value());
}

TEST_F(TrustedPath, LinkThatIsNotToBeFollowed_IsNot) {
  fs::create_symlink("real/inner/file", link_);
  EXPECT_FALSE(open_trusted(link_, O_RDONLY | O_NOFOLLOW).has_value());
  EXPECT_EQ(errno, ELOOP);
}

TEST_F(TrustedPath, LinksInACircle_EndWithALoop) {
  fs::create_symlink("link", link_);
  EXPECT_FALSE(open_trusted(link_, O_RDONLY).has_value());
  EXPECT_EQ(errno, ELOOP);
}

TEST_F(TrustedPath, NothingThere_IsNotFound) {
  fs::create_symlink("missing", link_);
  for (const std::string& path : {link_, directory_ / "missing/file", std::string()}) {
    EXPECT_EQ(open_trusted(path, O_RDONLY).error().code, Errc::not_found) << path;
  }
}

TEST_F(TrustedPath, FileMadeThere_HasItsMode) {
  fs::create_symlink("real", link_);
  auto made = open_trusted(directory_ / "link/new", O_RDWR | O_CREAT | O_EXCL, 0600);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(fs::status(directory_ / "real/new").permissions(), fs::perms(0600));
}

TEST_F(TrustedPath, Descriptor_IsWhereThePathBegins) {
  auto inner = open_trusted(directory_ / "real/inner", O_PATH | O_DIRECTORY);
  fs::rename(directory_ / "real", directory_ / "renamed");
  std::string path = "/proc/self/fd/" + std::to_string(inner->fd.get());
  EXPECT_EQ(content(path + "/file"), "content");
  EXPECT_TRUE(open_trusted(path, O_RDONLY | O_DIRECTORY).has_value());
}

}  // namespace
}  // namespace vtpm
