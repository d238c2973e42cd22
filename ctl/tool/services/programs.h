// Runs other programs: systemctl, vtpmd.
//
// Threads: plain functions.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/result.h"

namespace vtpm {

struct Ran {
  int status;          // exit status; 128 and more: ended by a signal
  std::string output;  // standard output and standard error, as they came

  [[nodiscard]] bool succeeded() const { return status == 0; }
  // Without the line break at the end.
  [[nodiscard]] std::string text() const;
  // What it said, or how it ended when it ended without a word.
  [[nodiscard]] std::string reason() const;
};

// Runs words[0], found in PATH and in the directories for system programs, and waits for it; its
// standard input is empty. Errors: io, not_found when it cannot be started; busy when it has not
// ended within `patience`: it is killed then.
using RunProgram = std::function<Result<Ran>(const std::vector<std::string>& words)>;
Result<Ran> run_program(const std::vector<std::string>& words);
Result<Ran> run_program_within(const std::vector<std::string>& words,
                               std::chrono::milliseconds patience);

}  // namespace vtpm
