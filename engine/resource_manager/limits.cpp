#include "engine/resource_manager/limits.h"

#include <algorithm>

namespace vtpm {
namespace {

// A process that has few may have the last ones as well.
constexpr size_t kFewObjects = 4;
constexpr size_t kFewSessions = 2;

size_t difference(size_t a, size_t b) {
  return a > b ? a - b : 0;
}

}  // namespace

void Limits::set_active_sessions(size_t most) {
  active_sessions_ = most > options_.raw_sessions ? most - options_.raw_sessions : most;
}

size_t Limits::objects_left(const SpaceTables& space) const {
  bool has_few = spaces_.objects_of(space.peer.pid) < kFewObjects;
  size_t in_use = spaces_.objects() + (has_few ? 0 : options_.kept_objects);
  return std::min(difference(options_.objects_per_space, space.objects.size()),
                  difference(options_.objects, in_use));
}

size_t Limits::sessions_left(const SpaceTables& space, size_t parked) const {
  size_t own = difference(options_.sessions_per_space, space.sessions.size());
  if (active_sessions_ == 0) {
    return own;
  }
  bool has_few = spaces_.sessions_of(space.peer.pid) < kFewSessions;
  size_t in_use = spaces_.sessions() + parked + (has_few ? 0 : options_.kept_sessions);
  return std::min(own, difference(active_sessions_, in_use));
}

}  // namespace vtpm
