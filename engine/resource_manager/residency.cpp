#include "engine/resource_manager/residency.h"

#include "engine/resource_manager/codes.h"

namespace vtpm {
namespace {

// More than a TPM has slots and active sessions: against one that never has enough.
constexpr int kMostAttempts = 100;

// Loads until it works or nothing more can leave.
template <class Slots, class Loaded, class MakeRoom>
Answer<void> load(Slots& slots, Loaded& wanted, ResponseCode no_slot, MakeRoom make_room) {
  if (slots.full()) {
    make_room(no_slot);
  }
  Answer<void> loaded = slots.load(wanted);
  for (int attempt = 0; !loaded && attempt < kMostAttempts; ++attempt) {
    if (loaded.error() == no_slot) {
      slots.note_full();
    }
    if (wanted.gone() || !make_room(loaded.error())) {
      break;
    }
    loaded = slots.load(wanted);
  }
  return loaded;
}

}  // namespace

Answer<void> Residency::bring_in(Object& object) {
  if (object.loaded) {
    return {};
  }
  return load(objects_, object, rc::object_memory, [&](ResponseCode c) { return make_room(c); });
}

Answer<void> Residency::bring_in(Session& session) {
  if (session.loaded) {
    return {};
  }
  return load(sessions_, session, rc::session_memory, [&](ResponseCode c) { return make_room(c); });
}

Answer<void> Residency::save(Session& session) {
  return session.loaded ? sessions_.save(session) : Answer<void>();
}

Bytes Residency::send(const Command& command, const Ticket& ticket) {
  Bytes response = tpm_.transmit(command, ticket);
  for (int attempt = 0; attempt < kMostAttempts && make_room(response_code(response)); ++attempt) {
    response = tpm_.transmit(command, ticket);
  }
  return response;
}

void Residency::make_place(SpaceTables& space) {
  space.make_place();
  objects_.make_place();
  sessions_.make_place();
}

Object& Residency::adopt(SpaceTables& space, std::unique_ptr<Object> object, TpmHandle handle) {
  Object& adopted = space.add(std::move(object));
  note_used(adopted);
  objects_.note_loaded(adopted, handle);
  return adopted;
}

Session& Residency::adopt(SpaceTables& space, std::unique_ptr<Session> session) {
  Session& adopted = space.add(std::move(session));
  note_used(adopted);
  sessions_.add(adopted);
  return adopted;
}

void Residency::forget(SpaceTables& space, Object& object) {
  objects_.note_unloaded(object);
  space.remove(object);
}

std::unique_ptr<Session> Residency::forget(SpaceTables& space, Session& session) {
  sessions_.remove(session);
  return space.remove(session);
}

bool Residency::make_room(ResponseCode code) {
  switch (code) {
    case rc::object_memory:
    case rc::object_handles:
      return objects_.evict_one(asking_, now_);
    case rc::session_memory:
      return sessions_.save_one(asking_, now_);
    case rc::memory:
      return objects_.evict_one(asking_, now_) || sessions_.save_one(asking_, now_);
    case rc::session_handles:
      return flush_parked();
    case rc::context_gap:
      return sessions_.regap_oldest();
    default:
      return false;
  }
}

bool Residency::flush_parked() {
  return asking_ != nullptr && parked_.flush_oldest_of(asking_->peer.uid);
}

bool Residency::evict_objects() {
  constexpr uint64_t kNoCommand = 0;
  while (!objects_.loaded().empty() && objects_.evict_one(nullptr, kNoCommand)) {
  }
  return objects_.loaded().empty();
}

bool Residency::evict_all() {
  constexpr uint64_t kNoCommand = 0;
  for (int attempt = 0; attempt < kMostAttempts && sessions_.save_one(nullptr, kNoCommand);
       ++attempt) {
  }
  return evict_objects() && sessions_.loaded().empty();
}

}  // namespace vtpm
