// The spaces that are open, what they have together, and what of it is shown.
//
// Ownership: owns the tables of every space. Threads: under the TPM's lock; statuses() by any.
// Errors: none.
#pragma once

#include <list>
#include <vector>

#include "engine/base/mutex.h"
#include "engine/resource_manager/space_tables.h"

namespace vtpm {

class Spaces {
 public:
  using Handle = std::list<SpaceTables>::iterator;

  Handle open(SpaceOwner peer);
  // It is shown no more. What it still had is in closed() until somebody has seen to it; this needs
  // no memory.
  void close(Handle space);
  // What there is of it now is shown.
  void show(const SpaceTables& space);
  [[nodiscard]] std::vector<SpaceStatus> statuses() const;

  std::list<SpaceTables>& all() { return spaces_; }
  std::list<SpaceTables>& closed() { return closed_; }

  [[nodiscard]] size_t objects() const;
  [[nodiscard]] size_t sessions() const;
  // Of all spaces that this process opened.
  [[nodiscard]] size_t objects_of(pid_t pid) const;
  [[nodiscard]] size_t sessions_of(pid_t pid) const;

  // The space, open or closed, that has a session with that index. Null: none.
  [[nodiscard]] SpaceTables* find_owner(TpmHandle session);

 private:
  std::list<SpaceTables> spaces_;
  std::list<SpaceTables> closed_;
  uint64_t opened_ = 0;

  mutable Mutex mutex_;
  std::vector<SpaceStatus> shown_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
