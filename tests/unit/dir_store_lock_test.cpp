#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "engine/state/swtpm/dir_store.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

// The lock that swtpm takes: POSIX, over the whole file. Returns errno, 0 when taken.
int take_posix_lock(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);  // NOLINT
  struct flock whole_file {};
  whole_file.l_type = F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  return fcntl(fd, F_SETLK, &whole_file) == 0 ? 0 : errno;  // held until this process ends
}

// A process beside the test's that takes swtpm's lock and keeps it until the end of this object.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& lock_file) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    pid_ = fork();
    if (pid_ == 0) {
      int result = take_posix_lock(lock_file);
      static_cast<void>(!write(ends[1], &result, sizeof(result)));
      pause();
      _exit(0);
    }
    EXPECT_EQ(read(ends[0], &result_, sizeof(result_)), static_cast<ssize_t>(sizeof(result_)));
    close(ends[0]);
    close(ends[1]);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  // 0 when it got the lock, else the errno.
  [[nodiscard]] int result() const { return result_; }

 private:
  pid_t pid_ = -1;
  int result_ = -1;
};

class DirStoreLock : public testing::Test {
 protected:
  std::unique_ptr<DirStore> open() {
    return DirStore::open(directory_.path(), CreateState::never).value();
  }
  [[nodiscard]] std::string lock_file() const { return directory_ / ".lock"; }

  TemporaryDirectory directory_;
};

TEST_F(DirStoreLock, Taken_KeepsASecondStoreOutAndNamesTheHolder) {
  auto first = open();
  auto second = open();
  ASSERT_TRUE(first->lock().has_value());

  auto locked = second->lock();

  ASSERT_FALSE(locked.has_value());
  EXPECT_EQ(locked.error().code, Errc::busy);
  EXPECT_THAT(locked.error().message, HasSubstr("process " + std::to_string(getpid()) + ";"));
  EXPECT_THAT(locked.error().message, HasSubstr(directory_.path()));
}

TEST_F(DirStoreLock, TakenTwice_IsNoError) {
  auto store = open();
  ASSERT_TRUE(store->lock().has_value());

  EXPECT_TRUE(store->lock().has_value());
}

TEST_F(DirStoreLock, Unlocked_LetsASecondStoreIn) {
  auto first = open();
  auto second = open();
  ASSERT_TRUE(first->lock().has_value());

  first->unlock();

  EXPECT_TRUE(second->lock().has_value());
}

TEST_F(DirStoreLock, StoreEnded_LetsASecondStoreIn) {
  auto first = open();
  auto second = open();
  ASSERT_TRUE(first->lock().has_value());

  first.reset();

  EXPECT_TRUE(second->lock().has_value());
}

TEST_F(DirStoreLock, SecondStoreTriedAndEnded_LeavesTheFirstLocked) {
  auto first = open();
  ASSERT_TRUE(first->lock().has_value());

  EXPECT_FALSE(open()->lock().has_value());

  EXPECT_FALSE(open()->lock().has_value());
}

TEST_F(DirStoreLock, HeldBySwtpm_IsBusy) {
  OtherProcess swtpm(lock_file());
  ASSERT_EQ(swtpm.result(), 0);

  auto locked = open()->lock();

  ASSERT_FALSE(locked.has_value());
  EXPECT_EQ(locked.error().code, Errc::busy);
  EXPECT_THAT(locked.error().message, HasSubstr("another process"));
}

TEST_F(DirStoreLock, Taken_KeepsSwtpmOut) {
  auto store = open();
  ASSERT_TRUE(store->lock().has_value());

  OtherProcess swtpm(lock_file());

  EXPECT_EQ(swtpm.result(), EAGAIN);
}

TEST_F(DirStoreLock, SwtpmEnded_IsFree) {
  { OtherProcess swtpm(lock_file()); }

  EXPECT_TRUE(open()->lock().has_value());
}

TEST_F(DirStoreLock, LockFile_IsPrivate) {
  auto store = open();
  ASSERT_TRUE(store->lock().has_value());

  EXPECT_EQ(std::filesystem::status(lock_file()).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(DirStoreLock, LockFileThatIsASymbolicLink_IsRefused) {
  directory_.write("elsewhere", "untouched");
  std::filesystem::create_symlink(directory_ / "elsewhere", lock_file());

  EXPECT_FALSE(open()->lock().has_value());
  EXPECT_EQ(directory_.read("elsewhere"), "untouched");
}

}  // namespace
}  // namespace vtpm
