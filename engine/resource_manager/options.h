// What the resource manager lets its openers have. docs/resource_manager.md says why so much.
#pragma once

#include <cstddef>

namespace vtpm {

struct ResourceManagerOptions {
  // For each open.
  size_t objects_per_space = 64;
  size_t sessions_per_space = 8;
  // For all together; of sessions, all that the TPM can have, but for these, which are the raw
  // node's.
  size_t objects = 4096;
  size_t raw_sessions = 4;
  // The last ones of the totals are for processes that have few: fewer than two sessions, fewer
  // than four objects.
  size_t kept_sessions = 4;
  size_t kept_objects = 256;
  // Sessions that clients saved and that no space has; beyond them the user who has most of them
  // loses the oldest one.
  size_t parked_sessions = 16;
};

}  // namespace vtpm
