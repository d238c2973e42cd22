#include "cuse/sandbox/system_call_filter.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>  // NOLINT: sigaction
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <span>

namespace vtpm {
namespace {

// Calls whose arguments do not matter. A name that an architecture lacks is passed over.
constexpr std::array kListed = {
    // the channels, the state (links on the way to it, a blank file's mode), the groups of openers,
    // messages
    "openat", "close", "read", "write", "pread64", "pwrite64", "writev", "lseek", "fstat",
    "newfstatat", "readlinkat", "fchmod", "fsync", "fdatasync", "syncfs", "ftruncate", "renameat",
    "renameat2", "unlinkat",
    // leaving the terminal
    "chdir", "dup2", "dup3",
    // memory
    "brk", "munmap", "mremap", "madvise", "mlock", "munlock",
    // waiting and time
    "poll", "ppoll", "futex", "restart_syscall", "nanosleep", "clock_nanosleep", "clock_gettime",
    "clock_getres", "gettimeofday", "time", "sched_yield",
    // threads, signals, the end
    "set_robust_list", "rseq", "sched_getaffinity", "gettid", "getpid", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "exit", "exit_group",
    // random numbers
    "getrandom"};

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

// -- Telling. A signal handler is given no context: hence what it needs is static, filled before
// the handler is installed. --

constexpr size_t kMostCalls = 1024;
constexpr size_t kLongestName = 32;

struct Telling {
  TellRefused tell = nullptr;
  std::array<std::array<char, kLongestName>, kMostCalls> names{};
  std::array<std::atomic_flag, kMostCalls> told{};
};

Telling& telling() {
  static Telling the_telling;
  return the_telling;
}

void learn_names() {
  for (size_t number = 0; number < kMostCalls; ++number) {
    std::unique_ptr<char, decltype(&std::free)> name(
        seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number)), std::free);
    std::string_view text = name ? name.get() : "unknown";
    auto& place = telling().names.at(number);
    std::ranges::copy(text.substr(0, place.size() - 1), place.begin());
  }
}

void tell_refused(int number) {
  auto index = static_cast<size_t>(number);
  Telling& all = telling();
  if (all.tell == nullptr) {
    return;
  }
  if (number < 0 || index >= kMostCalls) {
    all.tell("refused a system call without a name: not on vtpmd's list");
    return;
  }
  if (all.told[index].test_and_set()) {
    return;
  }
  constexpr size_t kMost = 128;
  std::array<char, kMost> message{};
  auto end = message.begin();
  for (std::string_view part :
       {std::string_view("refused the system call "), std::string_view(all.names[index].data()),
        std::string_view(": not on vtpmd's list (see --sandbox)")}) {
    end = std::ranges::copy(part, end).out;
  }
  all.tell({message.data(), static_cast<size_t>(end - message.begin())});
}

// As if the kernel had answered EPERM.
void set_result(ucontext_t& context, long result) {
#if defined(__x86_64__)
  context.uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
  context.uc_mcontext.regs[0] = static_cast<unsigned long long>(result);
#else
#error "say where a system call's result is on this architecture"
#endif
}

void on_refused_call(int /*signal*/, siginfo_t* info, void* context) {
  int saved = errno;
  tell_refused(info->si_syscall);
  set_result(*static_cast<ucontext_t*>(context), -EPERM);
  errno = saved;
}

bool install_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_refused_call;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigset_t refused;
  sigemptyset(&refused);
  sigaddset(&refused, SIGSYS);
  return sigaction(SIGSYS, &action, nullptr) == 0 &&
         pthread_sigmask(SIG_UNBLOCK, &refused, nullptr) == 0;
}

// -- The list --

int allow(const Filter& filter, const char* name, std::span<const scmp_arg_cmp> conditions = {},
          uint32_t action = SCMP_ACT_ALLOW) {
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) {
    return 0;
  }
  return seccomp_rule_add_array(filter.get(), action, number,
                                static_cast<unsigned>(conditions.size()), conditions.data());
}

// SCMP_A0 and its like are C.
scmp_arg_cmp equal(unsigned argument, uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp masked_equal(unsigned argument, uint64_t mask, uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

// 0, or the first negative errno.
int allow_connect(const Filter& filter, int socket) {
  constexpr uint64_t kInt = 0xffffffff;
  std::array this_one = {masked_equal(0, kInt, static_cast<uint32_t>(socket))};
  return socket < 0 ? 0 : allow(filter, "connect", this_one);
}

// 0, or the first negative errno.
int add_conditional(const Filter& filter) {
  constexpr uint64_t kThread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
  std::array thread = {masked_equal(0, kThread, kThread)};
  std::array not_executable = {masked_equal(2, PROT_EXEC, 0)};
  std::array store_lock = {equal(1, F_OFD_SETLK)};
  std::array get_flags = {equal(1, F_GETFL)};
  std::array read_directly = {equal(1, F_SETFL), masked_equal(2, O_APPEND | O_ASYNC, 0)};
  std::array is_terminal = {equal(1, TCGETS)};
  std::array own_process = {equal(0, static_cast<uint64_t>(getpid()))};
  for (int result : {
           allow(filter, "clone", thread),
           // Its flags are behind a pointer. glibc falls back to clone().
           allow(filter, "clone3", {}, SCMP_ACT_ERRNO(ENOSYS)),
           allow(filter, "mmap", not_executable),
           allow(filter, "mprotect", not_executable),
           allow(filter, "fcntl", store_lock),
           // O_DIRECT, and back (engine/state/file/storage_file.cpp).
           allow(filter, "fcntl", get_flags),
           allow(filter, "fcntl", read_directly),
           // libtpms' messages by dprintf(): stdio asks whether it writes to a terminal.
           allow(filter, "ioctl", is_terminal),
           allow(filter, "tgkill", own_process),
       }) {
    if (result != 0) {
      return result;
    }
  }
  return 0;
}

int fill(const Filter& filter, int reconnects) {
  for (auto [attribute, value] : {
           std::pair{SCMP_FLTATR_CTL_TSYNC, uint32_t{1}},
           std::pair{SCMP_FLTATR_ACT_BADARCH, uint32_t{SCMP_ACT_KILL_PROCESS}},
       }) {
    if (int result = seccomp_attr_set(filter.get(), attribute, value); result != 0) {
      return result;
    }
  }
  for (const char* name : kListed) {
    if (int result = allow(filter, name); result != 0) {
      return result;
    }
  }
  int result = add_conditional(filter);
  return result != 0 ? result : allow_connect(filter, reconnects);
}

}  // namespace

Result<void> load_system_call_filter(UnlistedCalls unlisted, TellRefused tell, int reconnects) {
  telling().tell = tell;
  learn_names();
  if (!install_handler()) {
    return system_failure("cannot handle refused system calls", errno);
  }
  uint32_t otherwise = unlisted == UnlistedCalls::refused ? SCMP_ACT_TRAP : SCMP_ACT_LOG;
  Filter filter(seccomp_init(otherwise), seccomp_release);
  int result = filter ? fill(filter, reconnects) : -ENOMEM;
  result = result == 0 ? seccomp_load(filter.get()) : result;
  if (result != 0) {
    auto failed = system_failure("cannot load the system call filter", -result);
    failed.value().code = Errc::unsupported;
    failed.value().message += ". Does this kernel have seccomp filters? --sandbox off does without";
    return failed;
  }
  return {};
}

}  // namespace vtpm
