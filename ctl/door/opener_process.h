// Which process a thread belongs to: FUSE tells the number of the thread that opened a file.
//
// Threads: a plain function that reads /proc, which the sandbox leaves readable.
#pragma once

#include <sys/types.h>

#include <string>

namespace vtpm {

struct OpenerProcess {
  pid_t number = 0;  // the thread's own where /proc does not tell
  std::string name;  // as the process called itself, with whatever characters; empty: not known
};

// `proc` is /proc; another directory in tests.
OpenerProcess process_of_thread(pid_t thread, const std::string& proc = "/proc");

}  // namespace vtpm
