// How much a space may have at this moment.
//
// Threads: under the TPM's lock. Errors: none.
#pragma once

#include "engine/resource_manager/options.h"
#include "engine/resource_manager/spaces.h"

namespace vtpm {

class Limits {
 public:
  Limits(const ResourceManagerOptions& options, const Spaces& spaces)
      : options_(options), spaces_(spaces) {}

  // The TPM's, TPM_PT_ACTIVE_SESSIONS_MAX; 0: it does not say.
  void set_active_sessions(size_t most);

  // How many more.
  [[nodiscard]] size_t objects_left(const SpaceTables& space) const;
  [[nodiscard]] size_t sessions_left(const SpaceTables& space, size_t parked) const;
  // Whether it is what all have together that leaves none, rather than its own.
  [[nodiscard]] bool owns_too_many_sessions(const SpaceTables& space) const {
    return space.sessions.size() >= options_.sessions_per_space;
  }

  [[nodiscard]] const ResourceManagerOptions& options() const { return options_; }

 private:
  const ResourceManagerOptions options_;
  const Spaces& spaces_;
  size_t active_sessions_ = 0;
};

}  // namespace vtpm
