// The instances that this host's configuration files name, and their devices.
//
// Threads: plain functions. Files that cannot be read count as instances without a device.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/config/instance.h"
#include "engine/base/result.h"

namespace vtpm {

// In the order of their names.
std::vector<std::string> configured_instances(const InstancePaths& paths);

// The device in its configuration; nothing when that cannot be read.
std::optional<std::string> configured_device(const InstancePaths& paths, const std::string& name);

// That no instance but `name` is configured with the device. Errors: busy, with the other's name.
Result<void> check_device_unclaimed(const InstancePaths& paths, const std::string& name,
                                    const std::string& device);

}  // namespace vtpm
