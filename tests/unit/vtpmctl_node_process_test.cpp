// Nodes that are opened and asked in a process of their own, with daemons that never answer.
#include "ctl/tool/device/node_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>
#include <vtpm/ioctl.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ctl/tool/device/device_client.h"
#include "tests/support/source_tree.h"

namespace vtpm {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr milliseconds kLong{60000};
constexpr milliseconds kShort{10};

int never() {
  for (;;) {
    ::pause();
  }
}

// A node that answers at once: locality 3, whatever it is asked.
NodeCalls answering() {
  return {[](const char*) { return ::open("/dev/null", O_RDWR | O_CLOEXEC); },
          [](int, uint32_t, void* structure) {
            static_cast<vtpm_status*>(structure)->locality = 3;
            return 0;
          }};
}

NodeCalls hanging_in_open() {
  return {[](const char*) { return never(); }, answering().ioctl};
}

NodeCalls hanging_in_ioctl() {
  return {answering().open, [](int, uint32_t, void*) { return never(); }};
}

TEST(NodeProcess, Answer_ComesBackWithItsStructure) {
  auto node = NodeProcess::start("/dev/null", answering()).value();
  vtpm_status status{};

  EXPECT_EQ(node->opened(kLong), 0);
  EXPECT_EQ(node->ioctl(VTPM_GET_STATUS, &status, kLong), 0);
  EXPECT_EQ(status.locality, 3u);
}

TEST(NodeProcess, ErrorsOfTheNode_ComeBack) {
  NodeCalls calls = answering();
  calls.ioctl = [](int, uint32_t, void*) {
    errno = ENOTTY;
    return -1;
  };
  auto node = NodeProcess::start("/dev/null", calls).value();
  vtpm_status status{};

  EXPECT_EQ(node->opened(kLong), 0);
  EXPECT_EQ(node->ioctl(VTPM_GET_STATUS, &status, kLong), ENOTTY);
}

TEST(NodeProcess, OpenThatHangs_IsGivenUp) {
  auto node = NodeProcess::start("/dev/null", hanging_in_open()).value();
  vtpm_status status{};

  EXPECT_EQ(node->opened(kShort), ETIMEDOUT);
  EXPECT_EQ(node->ioctl(VTPM_GET_STATUS, &status, kLong), ETIMEDOUT) << "at once";
}

TEST(NodeProcess, RequestThatHangs_IsGivenUp) {
  auto node = NodeProcess::start("/dev/null", hanging_in_ioctl()).value();
  vtpm_status status{};

  EXPECT_EQ(node->opened(kLong), 0);
  EXPECT_EQ(node->ioctl(VTPM_GET_STATUS, &status, kShort), ETIMEDOUT);
}

TEST(NodeProcess, WhatWaitsThere_HasNothingOfOursOpen) {
  FileDescriptor precious(::open("/dev/zero", O_RDONLY));
  NodeCalls calls = answering();
  calls.ioctl = [&](int, uint32_t, void* structure) {
    bool open = ::fcntl(precious.get(), F_GETFD) >= 0 || ::fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    static_cast<vtpm_status*>(structure)->locality = open ? 1 : 0;
    return 0;
  };
  calls.open = [](const char*) { return 1000; };  // takes no number of ours
  auto node = NodeProcess::start("/dev/null", calls).value();
  vtpm_status status{};

  EXPECT_EQ(node->opened(kLong), 0);
  EXPECT_EQ(node->ioctl(VTPM_GET_STATUS, &status, kLong), 0);
  EXPECT_EQ(status.locality, 0u);
}

TEST(NodeOpener, DaemonThatDoesNotAnswer_IsToldAsSuch) {
  NodeOpener opener(hanging_in_open(), kShort);

  auto opened = opener.open("/dev/null");

  EXPECT_THAT(opened.error().message, HasSubstr("does not answer"));
}

TEST(NodeOpener, Patience_IsWhatTheManualTells) {
  std::ostringstream page;
  page << std::ifstream(source_file("docs/vtpmctl.8")).rdbuf();

  EXPECT_THAT(page.str(), HasSubstr(std::to_string(kAnswerPatience.count()) + " seconds"));
  EXPECT_THAT(page.str(), HasSubstr(std::to_string(kRequestPatience.count()) + " minutes"));
}

TEST(NodeOpener, WhatIsNoDevice_IsNotOpened) {
  NodeOpener opener(hanging_in_open(), kLong);

  EXPECT_EQ(opener.open("/proc/self/exe").error().code, Errc::invalid);
}

}  // namespace
}  // namespace vtpm
