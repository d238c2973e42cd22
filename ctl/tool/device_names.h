// What a user calls a device, and the node to send control requests to.
//
// Threads: plain functions that look at the file system. Errors: not_found, invalid.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/result.h"

namespace vtpm {

// Where nodes and their class are; other directories in tests.
struct DevicePaths {
  std::string dev = "/dev";
  std::string cuse_class = "/sys/class/cuse";
};

// The node for `name`, which is vtpm0 or /dev/vtpm0 (its control node, as long as there is one: it
// can be opened while somebody holds the raw node), another path in the file system (as it is), or
// a VM's name.
Result<std::string> control_node(const DevicePaths& paths, std::string_view name);

// The raw nodes of all virtual TPMs of this host by name ("vtpm0"), in the order of their numbers.
std::vector<std::string> list_devices(const DevicePaths& paths);

}  // namespace vtpm
