// What udev's rules are told about a node before it appears: whose it is, and who may open it.
//
// A file of KEY=VALUE lines by the node's name, in a directory that only root writes:
// /run/vtpm/devices/vtpm0. The rules (udev/60-vtpm.rules) import it, so that links and permissions
// are right in the event that announces the node. It is removed by whoever stopped the daemon
// (`vtpmctl forget`); one that is left is replaced by the node's next owner. Not removed by the
// rules: the node's removal may reach them when the next daemon has written its own file.
//
// Threads: plain functions.
#pragma once

#include <string>

#include "engine/base/result.h"

namespace vtpm {

// Empty: as the rules have it.
struct NodePermissions {
  std::string owner;  // a user's name or number
  std::string group;
  std::string mode;  // octal, "0660"
};

struct NodeProperties {
  std::string name;  // of the instance; empty: the node belongs to none
  const char* kind;  // "raw", "managed", "control"
  NodePermissions permissions;
};

// Replaces whatever the file of that node said; without a name and permissions there is none then.
// Errors: io, denied from the system.
Result<void> write_node_properties(const std::string& directory, const std::string& node,
                                   const NodeProperties& properties);

}  // namespace vtpm
