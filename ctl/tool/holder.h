// Who has a TPM's raw node open, from what its daemon tells and what the kernel knows.
//
// Threads: plain functions. Errors: busy, with the process and what to do.
#pragma once

#include <vtpm/ioctl.h>

#include <string>

#include "ctl/tool/device_client.h"
#include "engine/result.h"

namespace vtpm {

// "process 4711 (qemu-system-x86)", for a status that says that the raw node is open.
std::string holder_in_words(const vtpm_status& status);

// That no client holds the raw node and would lose its TPM. A device that cannot tell, and one that
// does not answer, is held by nobody.
Result<void> check_not_held(DeviceClient& device);

}  // namespace vtpm
