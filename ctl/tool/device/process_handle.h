// A process by a descriptor, which goes on meaning it when its number has become another's.
//
// By system calls: the C library's functions of these names lack their C linkage in glibc 2.36.
// Errors: errno. Source: pidfd_open(2), pidfd_send_signal(2).
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "engine/base/file_descriptor.h"

namespace vtpm {

// Readable once the process has ended. Empty when there is none.
inline FileDescriptor open_process(pid_t pid) {
  return FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

inline int signal_process(const FileDescriptor& process, int number) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0));
}

}  // namespace vtpm
