// Sessions that clients saved with TPM2_ContextSave and that nobody has loaded since. Whoever has
// the bytes that the client was given may load the session, in any space, as on a TPM without a
// resource manager; meanwhile it is regapped like all others, so that those bytes stay good.
//
// Ownership: owns its sessions; borrows the slots and the commands.
// Threads: under the TPM's lock. Errors: none; what the TPM lost is not found any more.
#pragma once

#include <memory>
#include <vector>

#include "engine/resource_manager/session_slots.h"

namespace vtpm {

class ParkedSessions {
 public:
  ParkedSessions(OwnCommands& tpm, SessionSlots& slots, size_t most)
      : tpm_(tpm), slots_(slots), most_(most) {}

  // It is saved out. The client has its context as it is now. One more than there may be costs the
  // user who has most of them the oldest one.
  void park(std::unique_ptr<Session> session, const SpaceTables& keeper);
  // The session whose context a client was given as these bytes; null: none.
  std::unique_ptr<Session> take(ByteView given);

  // Those that the space parked, for as long as it is open, sorted by index.
  [[nodiscard]] std::vector<TpmHandle> kept_by(const SpaceTables& keeper) const;
  // Whether one with that index is here, of whoever.
  [[nodiscard]] bool has(TpmHandle handle) const;
  // What the keeper may flush. Errors: the TPM's code; rc::parameter_handle: it has none such.
  Answer<void> flush(TpmHandle handle, const SpaceTables& keeper);
  // In favour of a new session of the same user. False: that user has none that can go.
  bool flush_oldest_of(uid_t uid);

  // The TPM has flushed it.
  void forget(TpmHandle handle);
  void forget_all();
  void forget_gone();  // those of which that was found out

  [[nodiscard]] size_t size() const { return parked_.size(); }

 private:
  struct Parked {
    std::unique_ptr<Session> session;
    WipedBytes given;
    uint64_t keeper;  // a space's id
    uid_t uid;
  };
  using Iterator = std::vector<Parked>::iterator;

  [[nodiscard]] uid_t user_with_most() const;
  void erase(Iterator at);
  Answer<void> flush(Iterator at);

  OwnCommands& tpm_;
  SessionSlots& slots_;
  const size_t most_;
  std::vector<Parked> parked_;  // the oldest first
};

}  // namespace vtpm
