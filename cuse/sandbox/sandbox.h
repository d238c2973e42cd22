// Everything a serving vtpmd gives up, in one step: before the first request is read and before
// anything a guest could have written (its TPM's state) is interpreted.
//
// In this order: user, groups and capabilities (privileges.h), files (landlock.h), system calls
// (system_call_filter.h). Threads: before the first one. Once, for good.
// Decision: docs/decisions/0007; what is left: docs/security.md.
#pragma once

#include <optional>
#include <string>

#include "cuse/sandbox/landlock.h"
#include "cuse/sandbox/privileges.h"
#include "cuse/sandbox/system_call_filter.h"

namespace vtpm {

enum class SandboxMode {
  on,
  log,  // system calls that are not listed are let through and logged by the kernel
  off,  // privileges are given up all the same; files and system calls are not restricted
};

struct Sandbox {
  SandboxMode mode = SandboxMode::on;
  std::optional<RunAs> run_as;
  std::string state;  // file, block device or directory; exists
  TellRefused tell_refused = nullptr;
  int reconnects = -1;  // a socket that may be connected again; -1: none
};

// On failure the process is neither here nor there and has to end.
Result<FilesRestricted> enter_sandbox(const Sandbox& sandbox);

}  // namespace vtpm
