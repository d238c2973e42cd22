// Commands between their acceptance and their end, and what a cancel means while they are there:
// the one that runs, or the next one if none runs, and never one that is accepted later. Here is
// also the locality that is set for those to come.
//
// Ownership: borrows the engine and the back-off. A Pending borrows this.
// Threads: any; nothing here blocks. begin() and end() by whoever runs the command, one at a time.
#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "engine/base/mutex.h"
#include "engine/base/result.h"
#include "engine/command/command_port.h"
#include "engine/tpm/backoff.h"
#include "engine/tpm/engine.h"

namespace vtpm {

class AcceptedCommands {
 public:
  // A command that was accepted and has not begun: it can be cancelled already. Move-only; one that
  // is dropped is forgotten.
  class Pending {
   public:
    Pending() = default;
    Pending(Pending&& other) noexcept
        : accepted_(std::exchange(other.accepted_, nullptr)),
          power_cycle_(other.power_cycle_),
          locality_(other.locality_) {}
    Pending& operator=(Pending&& other) noexcept {
      std::swap(accepted_, other.accepted_);
      std::swap(power_cycle_, other.power_cycle_);
      std::swap(locality_, other.locality_);
      return *this;
    }
    ~Pending() {
      if (accepted_ != nullptr) {
        accepted_->forget_one();
      }
    }

   private:
    friend class AcceptedCommands;
    Pending(AcceptedCommands& accepted, unsigned power_cycle, Locality locality)
        : accepted_(&accepted), power_cycle_(power_cycle), locality_(locality) {}
    AcceptedCommands* accepted_ = nullptr;
    unsigned power_cycle_ = 0;
    Locality locality_{};  // that was set when the command was accepted, for that power cycle
  };

  AcceptedCommands(Engine& engine, Backoff& backoff) : engine_(engine), backoff_(backoff) {}

  [[nodiscard]] Pending accept();

  // From here on until end() a cancel means this command. `locality` is for this command only;
  // nothing: the one that was set when it was accepted.
  Ticket begin(Pending pending, std::optional<Locality> locality);
  void end();

  // Errors: unsupported for TPM 1.2.
  Result<void> cancel();

  // For good: the command that runs is told to end, and none is to begin.
  void close();
  [[nodiscard]] const std::atomic<bool>& closed() const { return closed_; }

  void set_locality(Locality locality) { locality_ = locality; }
  [[nodiscard]] Locality locality() const { return locality_; }
  // None is active behind _TPM_Init: nobody inherits one.
  void begin_power_cycle();

 private:
  void forget_one();

  Engine& engine_;
  Backoff& backoff_;

  std::atomic<bool> closed_ = false;
  std::atomic<Locality> locality_{};
  std::atomic<unsigned> power_cycle_ = 0;  // counts power-ons; changed after the locality

  mutable Mutex mutex_;
  unsigned pending_ VTPM_GUARDED_BY(mutex_) = 0;
  bool running_ VTPM_GUARDED_BY(mutex_) = false;
  bool next_canceled_ VTPM_GUARDED_BY(mutex_) = false;  // while none runs
  std::atomic<bool> canceled_ = false;                  // the running one; changed under mutex_
};

}  // namespace vtpm
