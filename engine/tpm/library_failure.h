// What libtpms does when one of its internal checks fails, kept from ending the process.
//
// Within a command libtpms leaves by longjmp() to the place that it took when the command began,
// and enters its failure mode. Outside of a command (power-on, state blobs, the hash interface)
// there is no such place: libtpms 0.9 jumps into a stack frame that is gone. A failed assert() ends
// the process. A volatile blob with a mended checksum reaches both, and leads commands that come
// later to memory that is not there. A guarded call ends as a failure instead: this file provides
// longjmp() and the end of assert() to the whole process, and handles SIGSEGV, SIGBUS and SIGFPE.
//
// Behind a failed check the library's memory is sound: whoever guards a call ends the library
// (TPMLIB_Terminate) and may begin anew. Behind a memory fault it is not: the library must not be
// called again in this process. So nobody gets a second try at a memory error.
//
// Threads: a guard is of the calling thread; guards do not nest. No object with a destructor may
// live between the guard and what fails: callbacks of ours have returned before libtpms looks at
// what they gave. What the library has allocated by then is lost. A fault within malloc() may leave
// a lock of malloc's behind, and the process then hangs instead of ending.
#pragma once

namespace vtpm {

enum class FailingJump {
  to_guard,    // the library has no place of its own: calls other than commands
  to_library,  // the library has one: TPMLIB_Process
};

enum class GuardedEnd { returned, check_failed, memory_fault };

// Once, before the first guarded call and before there are threads.
void handle_memory_faults();

GuardedEnd guarded_from_failure(FailingJump jump, void (*call)(void*), void* argument) noexcept;

template <class Call>
GuardedEnd guarded_from_failure(FailingJump jump, Call call) noexcept {
  return guarded_from_failure(
      jump, [](void* what) { (*static_cast<Call*>(what))(); }, &call);
}

}  // namespace vtpm
