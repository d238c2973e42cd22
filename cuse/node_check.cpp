#include "cuse/node_check.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>  // NOLINT: SIGKILL, signal
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>

#include "cuse/device_creation.h"

namespace vtpm {
namespace {

constexpr size_t kLongestAnswer = 4096;
constexpr char kAnswers = '+';

void close_all_but(int fd) {
  auto kept = static_cast<unsigned>(fd);
  for (auto [first, last] : {std::pair{3U, kept - 1}, std::pair{kept + 1, ~0U}}) {
    if (first <= last) {
      syscall(SYS_close_range, first, last, 0);
    }
  }
}

// Where it came from is as good as gone when the answer cannot be written.
[[noreturn]] void answer(int fd, const std::string& text) {
  static_cast<void>(!write(fd, text.data(), std::min(text.size(), kLongestAnswer)));
  _exit(0);
}

}  // namespace

Result<NodeCheck> NodeCheck::start(const std::string& node, TpmVersion version) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_failure("pipe", errno);
  }
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  signal(SIGCHLD, SIG_IGN);  // NOLINT: no thread yet. The kernel buries it
  pid_t daemon = getpid();
  pid_t child = fork();
  if (child < 0) {
    return system_failure("cannot start the check of " + node, errno);
  }
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    close_all_but(writing.get());
    if (getppid() != daemon) {
      _exit(1);
    }
    auto answers = check_answers(node, version);
    answer(writing.get(), answers ? std::string(1, kAnswers) : answers.error().message);
  }
  return NodeCheck(std::move(reading));
}

Result<void> NodeCheck::verdict() {
  std::array<char, kLongestAnswer> text{};
  ssize_t got = 0;
  do {
    got = read(answer_.get(), text.data(), text.size());
  } while (got < 0 && errno == EINTR);
  answer_.reset();
  if (got == 1 && text[0] == kAnswers) {
    return {};
  }
  return failure(Errc::io, got > 0 ? std::string(text.data(), static_cast<size_t>(got))
                                   : "the check of the node ended without an answer");
}

}  // namespace vtpm
