// The system calls that a serving vtpmd makes; all others are refused, by seccomp.
//
// A refused call fails with EPERM in the process that goes on, and its name is told, once per name:
// a call that this list should have had must be seen, and must not take the TPM from a machine that
// runs (docs/decisions/0007). Calls of another architecture end the process.
// Threads: before the first one. The one filter of the process, for good. Source: seccomp(2).
#pragma once

#include <string_view>

#include "engine/base/result.h"

namespace vtpm {

enum class UnlistedCalls {
  refused,  // and told
  logged,   // let through; the kernel logs their numbers
};

// Told of refused calls, from a signal handler: async-signal-safe, and with listed calls alone.
using TellRefused = void (*)(std::string_view message) noexcept;

// Needs no_new_privs. `reconnects`: the one socket that may be connected again, that of messages;
// -1: none. Errors: unsupported when the kernel has no seccomp filters.
Result<void> load_system_call_filter(UnlistedCalls unlisted, TellRefused tell, int reconnects);

}  // namespace vtpm
