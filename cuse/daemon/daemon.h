// One virtual TPM from its power-on to its end: builds the parts, brings the node up, waits, and
// takes everything down in order.
#pragma once

#include "cuse/daemon/options.h"

namespace vtpm {

// What is wrong with the options as libtpms sees them: usage, like what parse_options() finds.
Result<void> check_usage(const Options& options);

// Returns when the TPM has ended. Errors are for the person who started it.
Result<void> run_daemon(const Options& options);

}  // namespace vtpm
