// The one place for an opener of the raw node: who has it, and who had it last.
//
// Ownership: a Hold borrows the slot, which outlives it. Threads: any; one lock, held briefly.
#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "ctl/control/surroundings.h"
#include "engine/base/mutex.h"

namespace vtpm {

class OpenerSlot {
 public:
  // The slot is free again when this is gone.
  class Hold {
   public:
    Hold(Hold&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() {
      if (slot_ != nullptr) {
        slot_->taken_ = false;
      }
    }

   private:
    friend class OpenerSlot;
    explicit Hold(OpenerSlot& slot) : slot_(&slot) {}
    OpenerSlot* slot_;
  };

  // Nothing while somebody has it.
  std::optional<Hold> take() {
    return taken_.exchange(true) ? std::nullopt : std::optional(Hold(*this));
  }
  void note_opener(RawNodeOpener opener) {
    MutexLock lock(mutex_);
    opener_ = std::move(opener);
  }

  [[nodiscard]] bool taken() const { return taken_; }
  // The process that was noted last. Number 0: none was.
  [[nodiscard]] RawNodeOpener opener() const {
    MutexLock lock(mutex_);
    return opener_;
  }

 private:
  std::atomic<bool> taken_ = false;
  mutable Mutex mutex_;
  RawNodeOpener opener_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
