#include "engine/base/inherited.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kHigh = 40;  // numbers that no test has open by itself
constexpr int kHigher = 41;

// The exit status of `act` in a child: what it does to descriptors is for good.
int in_child(const std::function<int()>& act) {
  pid_t child = fork();
  if (child == 0) {
    _exit(act());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

bool is_dev_null(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

void open_at(int number) {
  dup2(STDERR_FILENO, number);
}

class MissingDescriptor : public testing::TestWithParam<int> {};

TEST_P(MissingDescriptor, Closed_IsOnDevNullFromNowOn) {
  int on_null = in_child([] {
    close(GetParam());
    take_standard_descriptors();
    return is_dev_null(GetParam()) ? 1 : 0;
  });

  EXPECT_EQ(on_null, 1);
}

INSTANTIATE_TEST_SUITE_P(All, MissingDescriptor,
                         testing::Values(STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO));

TEST(StandardDescriptors, AllClosed_TheNextFileIsNoneOfThem) {
  int next = in_child([] {
    for (int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      close(number);
    }
    take_standard_descriptors();
    return ::open("/", O_PATH);
  });

  EXPECT_GT(next, STDERR_FILENO);
}

TEST(StandardDescriptors, Open_AreLeftAsTheyAre) {
  int still_ours = in_child([] {
    int ends[2];
    static_cast<void>(!pipe(ends));
    dup2(ends[1], STDERR_FILENO);
    take_standard_descriptors();
    struct stat status {};
    fstat(STDERR_FILENO, &status);
    return S_ISFIFO(status.st_mode) ? 1 : 0;
  });

  EXPECT_EQ(still_ours, 1);
}

TEST(InheritedDescriptors, NamedByNobody_AreClosed) {
  int open = in_child([] {
    open_at(kHigh);
    open_at(kHigher);
    return close_inherited_but({}) && !is_open(kHigh) && !is_open(kHigher) ? 0 : 1;
  });

  EXPECT_EQ(open, 0);
}

TEST(InheritedDescriptors, NamedOnes_StayAndSoDoTheStandardOnes) {
  int right = in_child([] {
    open_at(kHigh);
    open_at(kHigher);
    bool closed = close_inherited_but({kHigher, STDIN_FILENO, kHigher}).has_value();
    return closed && !is_open(kHigh) && is_open(kHigher) && is_open(STDERR_FILENO) ? 1 : 0;
  });

  EXPECT_EQ(right, 1);
}

TEST(InheritedDescriptors, NamedAndNotOpen_AreRefused) {
  auto closed = close_inherited_but({kHigh});

  ASSERT_FALSE(closed.has_value());
  EXPECT_EQ(closed.error().code, Errc::invalid);
  EXPECT_THAT(closed.error().message, HasSubstr("descriptor 40"));
}

TEST(NamedDescriptors, AsWordsOfAKeySource_AreFound) {
  EXPECT_THAT(descriptors_named_in({"fd=5", "format=hex,pwdfd=6,remove", "--key=fd=7"}),
              ElementsAre(5, 6, 7));
}

TEST(NamedDescriptors, AsPaths_AreFound) {
  EXPECT_THAT(descriptors_named_in(
                  {"/dev/fd/63", "file=/dev/fd/62,format=binary", "--permanent=/proc/self/fd/9"}),
              ElementsAre(63, 62, 9));
}

TEST(NamedDescriptors, OtherWords_NameNone) {
  EXPECT_THAT(descriptors_named_in({"fd=", "fd=x", "afd=5", "/dev/fd/", "key.fd", "--fd", "5"}),
              IsEmpty());
}

TEST(DescriptorOfAPath, IsTheWholeLastName) {
  EXPECT_EQ(descriptor_of_path("/dev/fd/63"), 63);
  EXPECT_EQ(descriptor_of_path("/proc/self/fd/5"), 5);
  EXPECT_EQ(descriptor_of_path("/dev/fd/6x"), std::nullopt);
  EXPECT_EQ(descriptor_of_path("/dev/fd/06"), std::nullopt);
  EXPECT_EQ(descriptor_of_path("/etc/key"), std::nullopt);
}

}  // namespace
}  // namespace vtpm
