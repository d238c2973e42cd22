#include "cuse/log.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT: setenv
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/datagram_receiver.h"

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

}  // namespace
}  // namespace vtpm::log
