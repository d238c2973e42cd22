#include "tests/support/attempts.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

int outcome(long result) {
  return result < 0 ? errno : 0;
}

int make_socket(int family) {
  FileDescriptor fd(socket(family, SOCK_STREAM, 0));
  return outcome(fd.get());
}

int execute() {
  std::array<char*, 1> nothing{};
  return outcome(execve("/bin/true", nothing.data(), nothing.data()));
}

int make_process() {
  long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) {
    _exit(0);
  }
  return outcome(child);
}

int make_process_by_clone3() {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  long child = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (child == 0) {
    _exit(0);
  }
  return outcome(child);
}

int map_executable() {
  constexpr size_t kPage = 4096;
  void* page =
      mmap(nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);  // NOLINT
  return page == MAP_FAILED ? errno : 0;                                                // NOLINT
}

int run_a_thread() {
  int seen = 0;
  std::thread([&] { seen = 1; }).join();
  return seen == 1 ? 0 : ECHILD;
}

int use_memory() {
  constexpr size_t kMuch = size_t{1} << 24;
  char* memory = static_cast<char*>(std::malloc(kMuch));         // NOLINT: by mmap, then mremap
  memory = static_cast<char*>(std::realloc(memory, 2 * kMuch));  // NOLINT
  std::free(memory);                                             // NOLINT
  return memory != nullptr ? 0 : ENOMEM;
}

int random_number() {
  char byte = 0;
  return outcome(getrandom(&byte, 1, 0));
}

int wait_a_moment() {
  return outcome(poll(nullptr, 0, 1));
}

constexpr std::array kAttempts = {
    Attempt{"socket-unix", [] { return make_socket(AF_UNIX); }, false},
    Attempt{"socket-inet", [] { return make_socket(AF_INET); }, false},
    Attempt{"socket-netlink", [] { return make_socket(AF_NETLINK); }, false},
    Attempt{"execve", execute, false},
    Attempt{"fork", make_process, false},
    Attempt{"clone3", make_process_by_clone3, false},
    Attempt{"ptrace", [] { return outcome(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }, false},
    Attempt{"kill", [] { return outcome(kill(1, 0)); }, false},
    Attempt{"tgkill", [] { return outcome(syscall(SYS_tgkill, 1, 1, 0)); }, false},
    Attempt{"mount", [] { return outcome(mount("none", "/", "tmpfs", 0, nullptr)); }, false},
    Attempt{"unshare", [] { return outcome(unshare(CLONE_NEWUSER)); }, false},
    Attempt{"setuid", [] { return outcome(syscall(SYS_setuid, 0)); }, false},
    Attempt{"executable-memory", map_executable, false},
    Attempt{"mkdir", [] { return outcome(mkdirat(AT_FDCWD, "made", 0700)); }, false},
    Attempt{"thread", run_a_thread, true},
    Attempt{"memory", use_memory, true},
    Attempt{"getrandom", random_number, true},
    Attempt{"poll", wait_a_moment, true},
    Attempt{"groups-of-openers", [] { return try_to_read("/proc/1/status"); }, true},
};

int try_to_open(const std::string& path, int flags) {
  FileDescriptor fd(open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR));  // NOLINT
  return outcome(fd.get());
}

}  // namespace

std::span<const Attempt> attempts() {
  return kAttempts;
}

int try_to_read(const std::string& path) {
  return try_to_open(path, O_RDONLY);
}

int try_to_write(const std::string& path) {
  return try_to_open(path, O_WRONLY | O_CREAT);  // NOLINT
}

}  // namespace vtpm
