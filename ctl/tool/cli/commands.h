// Runs one vtpmctl command: finds and opens the device, does what the verb says, prints.
//
// Errors: go to host.err in one line that says what failed, why, and what to do.
#pragma once

#include "ctl/tool/cli/command_line.h"
#include "ctl/tool/services/host.h"

namespace vtpm {

// The exit status: 0 done, 1 refused or failed, 2 wrong usage (an option that vtpmd refuses), 3 an
// instance was started, and its TPM cannot be used.
int run_command(const Arguments& arguments, Host& host);

}  // namespace vtpm
