#include "engine/resource_manager/upkeep.h"

#include <algorithm>

#include "engine/resource_manager/codes.h"
#include "engine/resource_manager/context.h"

namespace vtpm {
namespace {

bool contains(const std::vector<uint32_t>& handles, TpmHandle handle) {
  return std::ranges::find(handles, static_cast<uint32_t>(handle)) != handles.end();
}

}  // namespace

// Forgets the objects, of open and of closed spaces, that are not to be kept.
template <class Keep>
void Upkeep::keep_objects(Keep keep) {
  for (std::list<SpaceTables>* list : {&spaces_.all(), &spaces_.closed()}) {
    for (SpaceTables& space : *list) {
      for (size_t i = space.objects.size(); i-- > 0;) {
        if (!keep(*space.objects[i])) {
          residency_.forget(space, *space.objects[i]);
        }
      }
    }
  }
}

template <class Keep>
void Upkeep::keep_sessions(Keep keep) {
  for (std::list<SpaceTables>* list : {&spaces_.all(), &spaces_.closed()}) {
    for (SpaceTables& space : *list) {
      for (size_t i = space.sessions.size(); i-- > 0;) {
        if (!keep(*space.sessions[i])) {
          residency_.forget(space, *space.sessions[i]);
        }
      }
    }
  }
}

void Upkeep::after_power_cycle(Left left) {
  if (left == Left::nothing) {
    forget_all();
  } else if (left == Left::everything) {
    check_loaded();
  } else {
    keep_objects([&](Object& object) {
      residency_.objects().note_unloaded(object);
      return !object.gone();
    });
    keep_sessions([](const Session& session) { return !session.loaded; });
  }
  residency_.objects().forget_full();
  residency_.sessions().forget_full();
  show_all();
}

// The TPM went on from a volatile state, which may be older than what is believed here.
void Upkeep::check_loaded() {
  constexpr uint32_t kLoadedSessions = 0x02000000;
  if (residency_.objects().loaded().empty() && residency_.sessions().loaded().empty()) {
    return;
  }
  auto objects = residency_.own().handles(kFirstTransient);
  auto sessions = residency_.own().handles(kLoadedSessions);
  keep_objects([&](Object& object) {
    if (object.loaded && !(objects && contains(*objects, *object.loaded))) {
      residency_.objects().note_unloaded(object);
    }
    return !object.gone();
  });
  keep_sessions([&](const Session& session) {
    return !session.loaded || (sessions && contains(*sessions, session.handle));
  });
}

void Upkeep::after_end_of(std::span<const uint32_t> hierarchies) {
  if (hierarchies.empty()) {
    return;
  }
  keep_objects([&](const Object& object) {
    return std::ranges::find(hierarchies, ContextLabel(object.context.get()).hierarchy) ==
           hierarchies.end();
  });
  show_all();
}

void Upkeep::after_loss_of(TpmHandle session) {
  residency_.parked().forget(session);
  if (spaces_.find_owner(session) == nullptr) {
    return;
  }
  keep_sessions(
      [&](const Session& one) { return session_index(one.handle) != session_index(session); });
  show_all();
}

void Upkeep::flush_closed() {
  std::erase_if(spaces_.closed(), [&](SpaceTables& space) { return flush_all_of(space); });
}

bool Upkeep::flush_all_of(SpaceTables& closed) {
  auto is_out = [&](TpmHandle handle) {
    auto flushed = residency_.own().flush(handle);
    return flushed || is_format_one(flushed.error());
  };
  for (size_t i = closed.objects.size(); i-- > 0;) {
    Object& object = *closed.objects[i];
    if (!object.loaded || is_out(*object.loaded)) {
      residency_.forget(closed, object);
    }
  }
  for (size_t i = closed.sessions.size(); i-- > 0;) {
    Session& session = *closed.sessions[i];
    if (session.gone() || is_out(session.handle)) {
      residency_.forget(closed, session);
    }
  }
  return closed.objects.empty() && closed.sessions.empty();
}

void Upkeep::forget_all() {
  keep_objects([](const Object&) { return false; });
  keep_sessions([](const Session&) { return false; });
  residency_.parked().forget_all();
  residency_.sessions().restart_count();
  show_all();
}

void Upkeep::show_all() {
  for (const SpaceTables& space : spaces_.all()) {
    spaces_.show(space);
  }
}

}  // namespace vtpm
