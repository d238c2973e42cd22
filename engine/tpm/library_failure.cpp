#include "engine/tpm/library_failure.h"

#include <dlfcn.h>
#include <setjmp.h>  // NOLINT: sigsetjmp
#include <signal.h>  // NOLINT: sigaction
#include <ucontext.h>

#include <cstdlib>
#include <initializer_list>

// The C library's own, past the functions below.
extern "C" [[noreturn]] void libc_siglongjmp(sigjmp_buf place, int value) __asm__("siglongjmp");

namespace vtpm {
namespace {

struct Guard {
  FailingJump jump;
  sigjmp_buf place;
};

// A jump carries no context: of the calling thread, while its guarded call runs.
thread_local Guard* the_guard = nullptr;

constexpr int kCheckFailed = 1;
constexpr int kMemoryFault = 2;

[[noreturn]] void jump(sigjmp_buf& place, int value) {
  libc_siglongjmp(place, value);
}

[[noreturn]] void leave(sigjmp_buf& wanted, int value) {
  Guard* guard = the_guard;
  if (guard != nullptr && guard->jump == FailingJump::to_guard) {
    jump(guard->place, kCheckFailed);
  }
  jump(wanted, value);
}

// A jump leaves the handler's mask of signals in force. What the thread had blocked before is put
// back, whatever the handler was installed with: thread sanitizer has all signals blocked in it.
void on_memory_fault(int number, siginfo_t* /*info*/, void* context) {
  if (the_guard != nullptr) {
    const auto* interrupted = static_cast<const ucontext_t*>(context);
    pthread_sigmask(SIG_SETMASK, &interrupted->uc_sigmask, nullptr);
    jump(the_guard->place, kMemoryFault);
  }
  // Not of a guarded call: the signal's usual end.
  static_cast<void>(signal(number, SIG_DFL));  // NOLINT: allowed in a handler
  static_cast<void>(raise(number));
}

}  // namespace

void handle_memory_faults() {
  struct sigaction action {};
  action.sa_sigaction = on_memory_fault;      // NOLINT: a union
  action.sa_flags = SA_SIGINFO | SA_NODEFER;  // the handler is left by a jump
  for (int number : {SIGSEGV, SIGBUS, SIGFPE}) {
    sigaction(number, &action, nullptr);
  }
}

GuardedEnd guarded_from_failure(FailingJump jump, void (*call)(void*), void* argument) noexcept {
  Guard guard{jump, {}};
  the_guard = &guard;
  int end = sigsetjmp(guard.place, 0);  // NOLINT: what C has
  if (end == 0) {
    call(argument);
  }
  the_guard = nullptr;
  if (end == 0) {
    return GuardedEnd::returned;
  }
  return end == kMemoryFault ? GuardedEnd::memory_fault : GuardedEnd::check_failed;
}

}  // namespace vtpm

// In place of the C library's, for libtpms as well: the dynamic linker looks into the program
// first. They have names of their own here, since <setjmp.h> makes its names aliases of each other.
extern "C" {

[[noreturn]] void vtpm_longjmp(sigjmp_buf place, int value) __asm__("longjmp");
void vtpm_longjmp(sigjmp_buf place, int value) {
  vtpm::leave(*reinterpret_cast<sigjmp_buf*>(place), value);  // NOLINT: an array in C's way
}

[[noreturn]] void vtpm_longjmp_chk(sigjmp_buf place, int value) __asm__("__longjmp_chk");
void vtpm_longjmp_chk(sigjmp_buf place, int value) {
  vtpm::leave(*reinterpret_cast<sigjmp_buf*>(place), value);  // NOLINT: likewise
}

[[noreturn]] void vtpm_assert_fail(const char* expression, const char* file, unsigned line,
                                   const char* function) __asm__("__assert_fail");
void vtpm_assert_fail(const char* expression, const char* file, unsigned line,
                      const char* function) {
  if (vtpm::the_guard != nullptr) {
    vtpm::jump(vtpm::the_guard->place, vtpm::kCheckFailed);
  }
  using AssertFail = void (*)(const char*, const char*, unsigned, const char*);
  if (void* next = dlsym(RTLD_NEXT, "__assert_fail")) {
    reinterpret_cast<AssertFail>(next)(expression, file, line, function);  // NOLINT: what it is
  }
  std::abort();
}

}  // extern "C"
