// All sessions, of all spaces and parked ones: which are loaded, their way out of the TPM and back,
// and the context gap.
//
// The TPM counts the contexts of sessions that it saves, and refuses to go on when the oldest one
// that is still out is too far behind (TPM_RC_CONTEXT_GAP). So a session that is half as far behind
// is loaded and saved anew ("regapped").
//
// Ownership: borrows the commands; sessions belong to spaces or are parked, and are taken out of
// here before they end. Threads: under the TPM's lock.
// Errors: the TPM's code; a session that could not be moved is where it was, unless it is gone().
// Source: TPM 2.0 Library part 1 section 30.5 (session context gap).
#pragma once

#include <cstddef>
#include <vector>

#include "engine/resource_manager/own_commands.h"
#include "engine/resource_manager/space_tables.h"

namespace vtpm {

class SessionSlots {
 public:
  explicit SessionSlots(OwnCommands& tpm) : tpm_(tpm) {}

  // The TPM's, TPM_PT_CONTEXT_GAP_MAX.
  void set_gap(uint32_t gap) { gap_ = gap; }
  // The TPM counts from the beginning again. No session is left.
  void restart_count() { newest_ = 0; }

  void make_place();  // so that the next add() needs no memory
  void add(Session& session);
  void remove(const Session& session);
  // It is not loaded any more, by the TPM's own doing.
  void note_unloaded(Session& session) { session.loaded = false; }

  Answer<void> load(Session& session);
  // Regaps afterwards whatever is due.
  Answer<void> save(Session& session);

  // As ObjectSlots::evict_one.
  bool save_one(const SpaceTables* asking, uint64_t now);
  // The oldest of those that are saved out. False when that did not help.
  bool regap_oldest();

  void note_full() { most_ = loaded_count(); }
  [[nodiscard]] bool full() const { return loaded_count() >= most_; }
  void forget_full() { most_ = kUnknown; }

  [[nodiscard]] const std::vector<Session*>& all() const { return all_; }
  [[nodiscard]] std::vector<Session*> loaded() const;

 private:
  static constexpr size_t kUnknown = SIZE_MAX;

  [[nodiscard]] size_t loaded_count() const;
  [[nodiscard]] Session* oldest() const;
  Answer<void> save_alone(Session& session);
  bool regap(Session& session);
  void regap_what_is_due();

  OwnCommands& tpm_;
  std::vector<Session*> all_;
  uint64_t newest_ = 0;  // count of the last context saved
  uint32_t gap_ = 0;     // 0: not known
  size_t most_ = kUnknown;
};

}  // namespace vtpm
