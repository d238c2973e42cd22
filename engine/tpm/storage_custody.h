// Who has a TPM's storage: the lock on it, what the store has not taken yet, and the hand-over to
// another process and back.
//
// Nothing is written while the lock is not held. What the store does not take of a TPM's own
// accounts (failed authorisations, time) is kept in the engine's memory and tried again
// (docs/decisions/0012).
//
// Ownership: borrows all three. Threads: one at a time, under the TPM's lock; held() and
// has_unstored() by any. Errors: the store's.
#pragma once

#include <atomic>
#include <optional>

#include "engine/state/state_store.h"
#include "engine/tpm/engine.h"
#include "engine/tpm/tpm_events.h"

namespace vtpm {

class StorageCustody {
 public:
  StorageCustody(Engine& engine, StateStore& store, TpmListener& listener)
      : engine_(engine), store_(store), listener_(listener) {}

  [[nodiscard]] bool held() const { return held_; }
  // Whether something that the TPM wants stored is in memory alone.
  [[nodiscard]] bool has_unstored() const { return has_unstored_; }

  // One attempt to lock it; held already is no error. Errors: busy while somebody else holds it.
  Result<void> take();

  // For a hand-over, which check_unchanged() may end. Refused, and the lock is kept, when something
  // is unstored: the other process would not have it.
  Result<void> release();

  // Whether the permanent state is still as release() left it. Errors: corrupt when somebody has
  // changed it, or it cannot be read.
  Result<void> check_unchanged();

  // What appears under the same name later is another storage: nothing of this one is kept.
  void let_go();

  // One attempt. Errors: the store's; what is left then stays unstored.
  Result<void> store_unstored();
  void drop_unstored();
  // With all that is unstored before it.
  Result<void> store_volatile();
  // The TPM ends: what is still unstored is lost.
  void end();

  // Behind everything that may have changed it.
  void note_unstored();

 private:
  Engine& engine_;
  StateStore& store_;
  TpmListener& listener_;
  std::atomic<bool> held_ = false;
  std::atomic<bool> has_unstored_ = false;
  std::optional<Bytes> released_state_;  // permanent, as it was let go
};

}  // namespace vtpm
