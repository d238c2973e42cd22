// vtpmd's options, from its command line and an instance's configuration file. `vtpmd --help` and
// docs/vtpmd.8 say the same.
#pragma once

#include <optional>
#include <string>

#include "ctl/config/instance.h"
#include "ctl/control/control_context.h"
#include "cuse/channel/device_creation.h"
#include "cuse/channel/udev_properties.h"
#include "cuse/daemon/log.h"
#include "cuse/daemon/state_storage.h"
#include "cuse/nodes/control_access.h"
#include "cuse/nodes/raw_node.h"
#include "cuse/sandbox/sandbox.h"
#include "engine/base/tpm_types.h"
#include "engine/resource_manager/options.h"

namespace vtpm {

enum class InitialPower { on, off, at_open };

// What this run of the program is for.
enum class RunTask {
  serve,
  check,       // look whether the options are right
  make_state,  // make the TPM's state, and end
};

struct Options {
  RunTask task = RunTask::serve;
  std::string name;  // of the instance; empty: none
  DeviceRequest device;
  NodePermissions permissions;  // of the raw node
  NodePermissions managed_permissions;
  NodePermissions control_permissions;
  StateRequest state;
  std::string key;            // of the state at rest: where it comes from; empty: none
  std::string migration_key;  // where it comes from (engine/keys/swtpm_key.h); empty: none
  TpmVersion tpm = TpmVersion::tpm20;
  std::string profile;
  std::optional<StartupType> startup = StartupType::clear;  // nothing: not started
  InitialPower power = InitialPower::on;
  uint32_t buffer_size = 0;  // bytes; 0: libtpms' own
  bool auto_shutdown = true;
  bool resource_manager = true;  // a managed node; never for a TPM 1.2
  ResourceManagerOptions resources;
  ControlPolicy control;
  ControlAccess access;
  std::optional<RunAs> run_as;        // nothing: whoever starts it
  std::string openssl_configuration;  // a file; empty: none
  std::string pid_file;
  bool daemon = false;
  SandboxMode sandbox = SandboxMode::on;
  log::Level log_level = log::Level::info;
};

// The options, or the exit status of a process that has said all there is to say: 0 after --help
// and --version, 2 after a message about what is wrong.
struct ParsedOptions {
  std::optional<Options> options;
  int exit_status = 0;
};

ParsedOptions parse_options(int argc, const char* const* argv, const InstancePaths& paths = {});

}  // namespace vtpm
