// What is in the TPM's slots: brings in what a command names, and makes room where the TPM has
// none. Nothing moves before it must: a command is sent, and only when the TPM answers that it has
// no room, something leaves and the command is sent again. Such answers (warnings) mean that
// nothing was executed.
//
// Ownership: borrows the ports; slots point at what spaces own. Threads: under the TPM's lock.
// Errors: the TPM's response, when nothing can leave.
#pragma once

#include "engine/resource_manager/object_slots.h"
#include "engine/resource_manager/own_commands.h"
#include "engine/resource_manager/parked_sessions.h"
#include "engine/resource_manager/session_slots.h"

namespace vtpm {

class Residency {
 public:
  Residency(CommandPort& tpm, size_t most_parked)
      : tpm_(tpm), parked_(own_, sessions_, most_parked) {}

  // A command of this space begins: what it uses from now on is not moved until the next one.
  void begin(const SpaceTables& asking) {
    asking_ = &asking;
    ++now_;
  }
  template <class T>
  void note_used(T& object_or_session) {
    object_or_session.used = now_;
  }

  // -- What spaces have, in the tables and in the slots together; these need no memory after
  // make_place() --

  void make_place(SpaceTables& space);
  Object& adopt(SpaceTables& space, std::unique_ptr<Object> object, TpmHandle handle);
  Session& adopt(SpaceTables& space, std::unique_ptr<Session> session);
  // What the TPM has of it is the caller's matter.
  void forget(SpaceTables& space, Object& object);
  std::unique_ptr<Session> forget(SpaceTables& space, Session& session);

  // -- Moving in and out --

  Answer<void> bring_in(Object& object);
  Answer<void> bring_in(Session& session);
  Answer<void> save(Session& session);

  // The response, whatever it is, once there is nothing more to be done for it.
  Bytes send(const Command& command, const Ticket& ticket);

  // False: something could not leave.
  bool evict_objects();
  bool evict_all();
  [[nodiscard]] bool has_loaded() const {
    return !objects_.loaded().empty() || !sessions_.loaded().empty();
  }

  OwnCommands& own() { return own_; }
  ObjectSlots& objects() { return objects_; }
  SessionSlots& sessions() { return sessions_; }
  ParkedSessions& parked() { return parked_; }

 private:
  bool make_room(ResponseCode code);
  bool flush_parked();

  CommandPort& tpm_;
  OwnCommands own_{tpm_};
  ObjectSlots objects_{own_};
  SessionSlots sessions_{own_};
  ParkedSessions parked_;
  const SpaceTables* asking_ = nullptr;
  uint64_t now_ = 1;
};

}  // namespace vtpm
