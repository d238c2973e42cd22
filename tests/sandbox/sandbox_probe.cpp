// sandbox_probe STATE-DIRECTORY [USER-NUMBER GROUP-NUMBER [PATH...]]
//
// Enters vtpmd's sandbox exactly as vtpmd does and tries what a guest would that had taken it over.
// Prints one line for each attempt: its name, and "worked" or why not. Standard error has what the
// sandbox tells. Ends with 0 when the sandbox was entered and came to this end alive.
#include <string.h>  // NOLINT: strerrorname_np
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "cuse/daemon/log.h"
#include "cuse/sandbox/sandbox.h"
#include "tests/support/attempts.h"

namespace {

void print(const std::string& name, int outcome) {
  std::string line = name + ": " + (outcome == 0 ? "worked" : strerrorname_np(outcome)) + "\n";
  static_cast<void>(!write(STDOUT_FILENO, line.data(), line.size()));
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words.size() == 2) {
    std::cerr << "usage: sandbox_probe STATE-DIRECTORY [USER-NUMBER GROUP-NUMBER [PATH...]]\n";
    return 2;
  }
  vtpm::log::configure(vtpm::log::Level::info, "sandbox_probe");
  vtpm::Sandbox sandbox;
  sandbox.state = words[0];
  sandbox.tell_refused = vtpm::log::error_from_signal_handler;
  if (words.size() > 2) {
    sandbox.run_as = vtpm::RunAs{words[1], static_cast<uid_t>(std::stoul(words[1])),
                                 static_cast<gid_t>(std::stoul(words[2]))};
  }
  auto entered = vtpm::enter_sandbox(sandbox);
  if (!entered) {
    std::cerr << entered.error().message << "\n";
    return 1;
  }
  print("landlock", *entered == vtpm::FilesRestricted::yes ? 0 : ENOSYS);
  for (const vtpm::Attempt& attempt : vtpm::attempts()) {
    print(attempt.name, attempt.try_it());
  }
  print("write own state", vtpm::try_to_write(words[0] + "/probe"));
  for (size_t i = 3; i < words.size(); ++i) {
    print("read " + words[i], vtpm::try_to_read(words[i]));
    print("write " + words[i], vtpm::try_to_write(words[i]));
  }
  return 0;
}
