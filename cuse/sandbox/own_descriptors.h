// That a process has nothing open but what is its own.
//
// Libraries that it uses may open things by themselves: a provider of OpenSSL's another TPM, a name
// service a socket. What is open stays usable in the sandbox, so nothing else may be open when it
// is entered. Threads: a plain function. Reads /proc.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"

namespace vtpm {

// Besides 0, 1 and 2.
struct OwnDescriptors {
  std::vector<int> numbers;
  // Files that may be open, and directories of which every file may be: links are resolved.
  std::vector<std::string> paths;
};

// Errors: denied, naming what else is open; io when /proc does not tell.
Result<void> check_descriptors(const OwnDescriptors& own);

}  // namespace vtpm
