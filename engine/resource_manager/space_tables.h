// What a space has: objects by their virtual handles, sessions by the TPM's own.
//
// Ownership: a space owns its objects and sessions; slots point at them while they are loaded.
// Threads: under the TPM's lock.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/base/secret.h"
#include "engine/resource_manager/handles.h"
#include "engine/resource_manager/space_status.h"

namespace vtpm {

struct SpaceTables;

// A transient object or a sequence. It is loaded, or has a context, or both; with neither it is
// gone, and its space finds that out when it is named next.
struct Object {
  const SpaceTables* owner = nullptr;
  VirtualHandle name{};
  std::optional<TpmHandle> loaded;
  WipedBytes context;  // still good; empty: none
  uint64_t used = 0;   // the count of commands when one named it last

  [[nodiscard]] bool gone() const { return !loaded && context.get().empty(); }
};

// Loaded, or saved out, never both: a session's context is good for one load.
struct Session {
  const SpaceTables* owner = nullptr;  // null: parked
  TpmHandle handle{};
  bool loaded = false;
  WipedBytes context;
  bool is_given = false;  // a client has the context as it is: it is not given out once more
  uint64_t used = 0;

  [[nodiscard]] bool gone() const { return !loaded && context.get().empty(); }
};

struct SpaceTables {
  uint64_t id = 0;
  SpaceOwner peer;
  uint64_t commands = 0;
  std::vector<std::unique_ptr<Object>> objects;    // sorted by name
  std::vector<std::unique_ptr<Session>> sessions;  // sorted by index

  [[nodiscard]] Object* find_object(uint32_t handle) const;
  [[nodiscard]] Session* find_session(TpmHandle handle) const;
  // The object gets the lowest name that is free.
  Object& add(std::unique_ptr<Object> object);
  Session& add(std::unique_ptr<Session> session);
  // The caller has seen to its slot.
  std::unique_ptr<Object> remove(const Object& object);
  std::unique_ptr<Session> remove(const Session& session);
  // So that the next add() needs no memory.
  void make_place();
};

}  // namespace vtpm
