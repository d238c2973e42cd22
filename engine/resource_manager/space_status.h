// What vtpmctl status shows of a space.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace vtpm {

// The process that opened a space, and its user.
struct SpaceOwner {
  pid_t pid = 0;
  uid_t uid = 0;
  friend bool operator==(const SpaceOwner&, const SpaceOwner&) = default;
};

struct SpaceStatus {
  uint64_t id = 0;  // in the order of opening
  SpaceOwner peer;
  size_t objects = 0;
  size_t sessions = 0;
  uint64_t commands = 0;
  friend bool operator==(const SpaceStatus&, const SpaceStatus&) = default;
};

}  // namespace vtpm
