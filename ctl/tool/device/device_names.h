// What a user calls a device, and the node to send control requests to.
//
// Threads: plain functions that look at the file system. Errors: not_found, invalid.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace vtpm {

// Where nodes and their class are; other directories in tests.
struct DevicePaths {
  std::string dev = "/dev";
  std::string cuse_class = "/sys/class/cuse";
  std::string proc = "/proc";
};

// The node for `name`, which is vtpm0 or /dev/vtpm0, another path that leads to the raw or the
// managed node (a link, another node of the same number), or a VM's name: the control node beside
// it as long as there is one, since opening the raw node takes its only opener's place, and maybe
// power. A path that leads to no virtual TPM is given back as it is.
Result<std::string> control_node(const DevicePaths& paths, std::string_view name);

// "vtpm0" for its raw, managed or control node, whatever path or VM's name leads there; nothing for
// what is no virtual TPM's.
std::optional<std::string> raw_device(const DevicePaths& paths, std::string_view name);

// The managed node beside that device ("vtpm0"); empty: it has none.
std::string managed_node(const DevicePaths& paths, const std::string& device);

// The VMs' names that udev has linked to the raw node of that device ("vtpm0"), as paths.
std::vector<std::string> links_to(const DevicePaths& paths, const std::string& device);

// The raw nodes of all virtual TPMs of this host by name ("vtpm0"), in the order of their numbers.
std::vector<std::string> list_devices(const DevicePaths& paths);

}  // namespace vtpm
