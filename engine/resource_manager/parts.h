// What a command of a space works with.
//
// Ownership: borrows all.
#pragma once

#include "engine/resource_manager/limits.h"
#include "engine/resource_manager/residency.h"
#include "engine/resource_manager/upkeep.h"

namespace vtpm {

struct Parts {
  Residency& residency;
  Limits& limits;
  Upkeep& upkeep;
  Spaces& spaces;

  // Whether the space may have one more; a saved session of the same user may go for it.
  [[nodiscard]] bool may_have_object(const SpaceTables& space) const {
    return limits.objects_left(space) > 0;
  }
  [[nodiscard]] bool may_have_session(const SpaceTables& space) const {
    ParkedSessions& parked = residency.parked();
    return limits.sessions_left(space, parked.size()) > 0 ||
           (!limits.owns_too_many_sessions(space) && parked.flush_oldest_of(space.peer.uid) &&
            limits.sessions_left(space, parked.size()) > 0);
  }
};

}  // namespace vtpm
