#include "cuse/daemon/log.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT: setenv
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/datagram_receiver.h"
#include "tests/support/temporary_directory.h"

namespace vtpm::log {
namespace {

class LogTest : public testing::Test {
 protected:
  void SetUp() override { unsetenv("JOURNAL_STREAM"); }
  void TearDown() override { unsetenv("JOURNAL_STREAM"); }

  static std::string all_levels() {
    testing::internal::CaptureStderr();
    error("e");
    warning("w");
    info("i");
    debug("d");
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, Messages_CarryTheNameAndStandOnTheirOwnLines) {
  configure(Level::debug, "vtpm3");

  EXPECT_EQ(all_levels(), "vtpm3: e\nvtpm3: w\nvtpm3: i\nvtpm3: d\n");
}

TEST_F(LogTest, MoreDetailedThanWanted_IsNotWritten) {
  configure(Level::warning, "vtpm3");

  EXPECT_EQ(all_levels(), "vtpm3: e\nvtpm3: w\n");
}

TEST_F(LogTest, ErrorsOnly_AreAlwaysWritten) {
  configure(Level::error, "vtpm3");

  EXPECT_EQ(all_levels(), "vtpm3: e\n");
}

TEST_F(LogTest, UnderSystemd_EachLineCarriesItsLevel) {
  setenv("JOURNAL_STREAM", "8:1", 1);
  configure(Level::debug, "vtpm3");

  EXPECT_EQ(all_levels(), "<3>vtpm3: e\n<4>vtpm3: w\n<6>vtpm3: i\n<7>vtpm3: d\n");
}

TEST_F(LogTest, FromASignalHandler_LooksAsAnError) {
  configure(Level::error, "vtpm3");

  testing::internal::CaptureStderr();
  error_from_signal_handler("refused");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "vtpm3: refused\n");
}

TEST_F(LogTest, MessageOfSeveralLines_HasALevelOnEach) {
  setenv("JOURNAL_STREAM", "8:1", 1);
  configure(Level::info, "vtpm3");

  testing::internal::CaptureStderr();
  error("one\ntwo");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<3>vtpm3: one\n<3>vtpm3: two\n");
}

TEST_F(LogTest, SamePlaceOverAndOver_IsToldOnceAndCounted) {
  configure(Level::info, "vtpm3");

  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) {
    warning("full");
  }
  tell_left_out();
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "vtpm3: full\nvtpm3: left out 999 more of this kind in the last minute: full\n");
}

TEST_F(LogTest, OtherPlace_IsNoneOfThatKind) {
  configure(Level::info, "vtpm3");

  testing::internal::CaptureStderr();
  info("full");
  info("full");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "vtpm3: full\nvtpm3: full\n");
}

TEST_F(LogTest, LeftOutAtALevelThatIsNotWanted_IsNotTold) {
  configure(Level::error, "vtpm3");

  testing::internal::CaptureStderr();
  for (int i = 0; i < 10; ++i) {
    info("full");
  }
  tell_left_out();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// In a child: there is no way back from syslog.
TEST_F(LogTest, ToSyslog_MessagesCarryFacilityLevelAndProcess) {
  DatagramReceiver syslog;
  pid_t child = fork();
  if (child == 0) {
    configure(Level::info, "vtpm3");
    connect_syslog(syslog.path());
    use_syslog();
    info("i");
    error_from_signal_handler("e");
    _exit(0);
  }
  std::string process = "vtpm3[" + std::to_string(child) + "]: ";

  EXPECT_EQ(syslog.receive(), "<30>" + process + "i");
  EXPECT_EQ(syslog.receive(), "<27>" + process + "e");
  waitpid(child, nullptr, 0);
}

TEST_F(LogTest, SyslogStartedAnewOrLater_GetsWhatIsToldFromThenOn) {
  TemporaryDirectory directory;
  std::string path = directory / "log";
  int go[2];
  int told[2];
  ASSERT_EQ(pipe(go), 0);
  ASSERT_EQ(pipe(told), 0);
  char byte = 0;
  pid_t child = fork();
  if (child == 0) {
    configure(Level::info, "vtpm3");
    connect_syslog(path);
    use_syslog();
    info("nobody listens yet");
    static_cast<void>(!write(told[1], "t", 1));
    for (const char* text : {"later", "anew"}) {
      static_cast<void>(!read(go[0], &byte, 1));
      error_from_signal_handler(text);
    }
    _exit(0);
  }
  std::string before = "<27>vtpm3[" + std::to_string(child) + "]: ";
  ASSERT_EQ(read(told[0], &byte, 1), 1);
  for (const char* text : {"later", "anew"}) {
    DatagramReceiver syslog(path, DatagramReceiver::At::path);
    ASSERT_EQ(write(go[1], "g", 1), 1);

    EXPECT_EQ(syslog.receive(), before + text);
    std::filesystem::remove(path);
  }
  waitpid(child, nullptr, 0);
}

TEST_F(LogTest, SyslogThatDoesNotRead_IsNotWaitedFor) {
  DatagramReceiver syslog;
  pid_t child = fork();
  if (child == 0) {
    configure(Level::info, "vtpm3");
    connect_syslog(syslog.path());
    use_syslog();
    for (int i = 0; i < 10000; ++i) {
      error_from_signal_handler("more than fits");
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);

  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace vtpm::log
