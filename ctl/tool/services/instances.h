// The instances of this host as files: their configuration, their state.
//
// Threads: one at a time; create_instance() keeps others that create out by a lock.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/config/instance.h"
#include "ctl/tool/device/device_names.h"
#include "ctl/tool/services/programs.h"
#include "engine/base/result.h"

namespace vtpm {

// What `vtpmctl create` was told, as options of vtpmd: {"tpm", "1.2"}. A device that is auto, or
// not said, becomes the first that neither a device nor another instance has.
struct NewInstance {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;
};

// Writes the configuration, has vtpmd check it, and makes the TPM's state, which every start from
// then on insists upon. After a failure nothing is left that was not there. Another that makes an
// instance is waited for, for `patience`.
// Errors: busy when the instance exists, when another has its device, or when another takes too
// long; invalid with vtpmd's words for a wrong option; denied to all but root; io.
Result<void> create_instance(const NewInstance& wanted, const InstancePaths& paths,
                             const DevicePaths& devices, const RunProgram& run,
                             std::chrono::milliseconds patience = std::chrono::seconds(60));

// In the order of their names.
std::vector<std::string> list_instances(const InstancePaths& paths);

bool instance_exists(const InstancePaths& paths, const std::string& name);

// Errors: not_found with what to do when there is no such instance.
Result<void> check_instance_exists(const InstancePaths& paths, const std::string& name);

// The device in its configuration; nothing when that cannot be read.
std::optional<std::string> device_of(const InstancePaths& paths, const std::string& name);

// The instance that somebody calls so, by its own name, which comes first, or by its device: vtpm0,
// a path or a VM's name that leads there.
std::optional<std::string> instance_called(const std::string& asked, const InstancePaths& paths,
                                           const DevicePaths& devices);

// Removes what udev was told of its nodes, once its daemon has ended.
void forget_nodes(const InstancePaths& paths, const std::string& name);

// Whether remove_instance() would refuse that: to be asked before its daemon is stopped. Errors:
// invalid when the state is not where create_instance() made it, or nobody can tell where it is;
// denied to all but root; io.
Result<void> check_removable(const InstancePaths& paths, const std::string& name, bool keep_state);

// Removes the configuration, and the state unless that is kept. Errors: those of check_removable(),
// and then nothing is removed; io.
Result<void> remove_instance(const InstancePaths& paths, const std::string& name, bool keep_state);

}  // namespace vtpm
