// Who has a TPM's nodes open, or had the raw one open last, from what its daemon tells and what the
// kernel knows.
//
// Threads: plain functions. Errors: busy, with the process and what to do.
#pragma once

#include <vtpm/ioctl.h>

#include <optional>
#include <string>

#include "ctl/tool/device/device_client.h"
#include "engine/base/result.h"

namespace vtpm {

// "qemu-system-x86 (process 4711)", with the name that it had when it opened the node. `details`:
// nothing from an older daemon, which gave a thread's number and no name.
std::string holder_in_words(const vtpm_status& status, const std::optional<vtpm_details>& details);

// "process 4711 of user 1000": who opened the managed node.
std::string holder_in_words(const vtpm_space& space);

// That no client holds the raw node or the managed one and would lose its TPM. A device that cannot
// tell, and one that does not answer, is held by nobody.
Result<void> check_not_held(DeviceClient& device);

}  // namespace vtpm
