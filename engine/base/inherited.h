// What a program inherits from whoever starts it: open descriptors, which it did not ask for.
//
// Descriptors 0 to 2 may be closed, and then the next file that is opened becomes standard error;
// others may be open, with a lock, a device or a secret behind them, and would stay so for as long
// as a daemon lives. Both programs put that in order before they do anything else.
// Threads: before the first one. Source: close_range(2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace vtpm {

// From now on 0, 1 and 2 are open: on /dev/null, those that were closed.
void take_standard_descriptors();

// 63 for "/dev/fd/63" (a shell's <(command)) and "/proc/self/fd/63"; nothing for any other path.
std::optional<int> descriptor_of_path(std::string_view path);

// The descriptors that words of a command line name: "fd=5", "pwdfd=5" as such, behind an option's
// name or among other words with commas between; and the paths above, wherever they stand.
std::vector<int> descriptors_named_in(const std::vector<std::string>& words);

// Closes all but 0 to 2 and those. Errors: invalid when one of those is not open: its number would
// be given to a file of the program's own. Of the system: when the kernel lacks close_range.
Result<void> close_inherited_but(std::vector<int> kept);

}  // namespace vtpm
