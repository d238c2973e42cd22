#include "cuse/daemon/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

TEST(PidFile, Written_HasThisProcesssNumber) {
  TemporaryDirectory directory;

  auto file = PidFile::create(directory / "pid", {});

  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(file->fill().has_value());
  EXPECT_EQ(directory.read("pid"), std::to_string(getpid()) + "\n");
}

TEST(PidFile, NotYetFilled_IsEmptyWhateverItWas) {
  TemporaryDirectory directory;
  directory.write("pid", "4711\n");

  auto file = PidFile::create(directory / "pid", {});

  EXPECT_EQ(directory.read("pid"), "");
}

TEST(PidFile, FileWithASecondName_IsLeftAlone) {
  TemporaryDirectory directory;
  directory.write("elsewhere", "untouched");
  std::filesystem::create_hard_link(directory / "elsewhere", directory / "pid");

  EXPECT_FALSE(PidFile::create(directory / "pid", {}).has_value());
  EXPECT_EQ(directory.read("elsewhere"), "untouched");
}

TEST(PidFile, WhatCannotBeRemovedAtTheEnd_IsEmptied) {
  TemporaryDirectory directory;
  {
    auto file = PidFile::create(directory / "pid", {});
    ASSERT_TRUE(file->fill().has_value());
    std::filesystem::create_hard_link(directory / "pid", directory / "same");
    std::filesystem::remove(directory / "pid");  // so that there is nothing to remove
  }

  EXPECT_EQ(directory.read("same"), "");
}

TEST(PidFile, Ended_IsRemoved) {
  TemporaryDirectory directory;

  { auto file = PidFile::create(directory / "pid", {}); }

  EXPECT_FALSE(std::filesystem::exists(directory / "pid"));
}

TEST(PidFile, Moved_IsRemovedOnceByTheNewOwner) {
  TemporaryDirectory directory;
  std::optional<PidFile> owner;
  {
    auto file = PidFile::create(directory / "pid", {});
    owner.emplace(std::move(*file));
  }

  EXPECT_TRUE(std::filesystem::exists(directory / "pid"));
  owner.reset();
  EXPECT_FALSE(std::filesystem::exists(directory / "pid"));
}

TEST(PidFile, WhereNothingCanBeWritten_SaysWhere) {
  TemporaryDirectory directory;

  auto file = PidFile::create(directory / "no/pid", {});

  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(file.error().message, testing::HasSubstr(directory / "no/pid"));
}

TEST(PidFile, SymbolicLink_IsNotFollowed) {
  TemporaryDirectory directory;
  directory.write("elsewhere", "untouched");
  std::filesystem::create_symlink(directory / "elsewhere", directory / "pid");

  EXPECT_FALSE(PidFile::create(directory / "pid", {}).has_value());
  EXPECT_EQ(directory.read("elsewhere"), "untouched");
}

class LifetimeTest : public testing::Test {
 protected:
  // Lifetime blocks signals for good: the mask is put back for other tests of this process.
  void SetUp() override { pthread_sigmask(SIG_SETMASK, nullptr, &mask_); }
  void TearDown() override { pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }

  sigset_t mask_{};
};

TEST_F(LifetimeTest, RequestedEnd_IsWaitedForWithItsReason) {
  auto lifetime = Lifetime::begin().value();

  lifetime.request_end(EndReason::requested);

  EXPECT_EQ(lifetime.wait(), EndReason::requested);
}

TEST_F(LifetimeTest, LostChannel_IsTheReasonWhateverElseWasRequested) {
  auto lifetime = Lifetime::begin().value();

  lifetime.request_end(EndReason::requested);
  lifetime.request_end(EndReason::channel_lost);
  lifetime.request_end(EndReason::requested);

  EXPECT_EQ(lifetime.wait(), EndReason::channel_lost);
}

class SignalledLifetime : public LifetimeTest, public testing::WithParamInterface<int> {
 protected:
  void TearDown() override {
    // Takes the pending signal, which waiting left where it was.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, GetParam());
    timespec at_once{};
    sigtimedwait(&set, nullptr, &at_once);
    LifetimeTest::TearDown();
  }
};

TEST_P(SignalledLifetime, Signal_EndsTheWait) {
  auto lifetime = Lifetime::begin().value();

  raise(GetParam());

  EXPECT_EQ(lifetime.wait(), EndReason::signal);
}

INSTANTIATE_TEST_SUITE_P(Signals, SignalledLifetime, testing::Values(SIGTERM, SIGINT, SIGHUP));

class IgnoredSignal : public LifetimeTest, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    LifetimeTest::SetUp();
    before_ = signal(GetParam(), SIG_IGN);  // NOLINT: one thread
  }
  void TearDown() override {
    signal(GetParam(), before_);  // NOLINT: one thread
    LifetimeTest::TearDown();
  }

 private:
  sighandler_t before_ = SIG_DFL;
};

TEST_P(IgnoredSignal, AtTheStart_StaysIgnored) {
  auto lifetime = Lifetime::begin().value();

  raise(GetParam());
  lifetime.request_end(EndReason::requested);

  EXPECT_EQ(lifetime.wait(), EndReason::requested);
}

INSTANTIATE_TEST_SUITE_P(Signals, IgnoredSignal, testing::Values(SIGTERM, SIGINT, SIGHUP));

// What fails is logged behind it, and the one who waits for the parent reads until its end.
TEST(Background, ThatIsNotNeededAnyMore_LeavesTheParentWaitingForTheEndOfTheProcess) {
  pid_t child = fork();
  if (child == 0) {
    int verdict = -1;
    {
      Background background = Background::enter().value();
      verdict = background.descriptors().front();
    }
    static_cast<void>(!::write(verdict, "r", 1));
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);

  EXPECT_EQ(status, 0) << "the parent had ended with 1 before";
}

TEST(HardenedProcess, FileSizeLimit_IsAnErrorOfTheWriteNotASignal) {
  TemporaryDirectory directory;
  pid_t child = fork();
  if (child == 0) {
    harden_process();
    rlimit one_byte{1, 1};
    setrlimit(RLIMIT_FSIZE, &one_byte);
    FileDescriptor file(::open((directory / "file").c_str(), O_WRONLY | O_CREAT, 0600));
    bool whole = ::write(file.get(), "ab", 2) == 2 || ::write(file.get(), "b", 1) == 1;
    _exit(!whole && errno == EFBIG ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);

  EXPECT_EQ(status, 0) << "the child's status, or 25: ended by SIGXFSZ";
}

}  // namespace
}  // namespace vtpm
