// Commands between their acceptance and their end, and what a cancel means while they are there:
// the one that runs, or the next one if none runs, and never one that is accepted later. Here is
// also the locality that is set for those to come.
//
// Ownership: borrows the engine and the back-off. A Pending is a plain value.
// Threads: any; nothing here blocks. begin() and end() by whoever runs the command, one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "engine/base/mutex.h"
#include "engine/base/result.h"
#include "engine/command/command_port.h"
#include "engine/tpm/backoff.h"
#include "engine/tpm/engine.h"

namespace vtpm {

class AcceptedCommands {
 public:
  // A command that was accepted and has not begun: it can be cancelled already. For one begin().
  class Pending {
   public:
    Pending() = default;

   private:
    friend class AcceptedCommands;
    Pending(uint64_t number, unsigned power_cycle, Locality locality)
        : number_(number), power_cycle_(power_cycle), locality_(locality) {}
    uint64_t number_ = 0;  // in the order of acceptance
    unsigned power_cycle_ = 0;
    Locality locality_{};  // that was set when the command was accepted, for that power cycle
  };

  AcceptedCommands(Engine& engine, Backoff& backoff) : engine_(engine), backoff_(backoff) {}

  [[nodiscard]] Pending accept();

  // From here on until end() a cancel means this command. `locality` is for this command only;
  // nothing: the one that was set when it was accepted.
  Ticket begin(const Pending& pending, std::optional<Locality> locality);
  void end();

  // Errors: unsupported for TPM 1.2.
  Result<void> cancel();

  // For good: the command that runs is told to end, and none is to begin.
  void close();
  [[nodiscard]] const std::atomic<bool>& closed() const { return closed_; }

  void set_locality(Locality locality) { locality_ = locality; }
  [[nodiscard]] Locality locality() const { return locality_; }
  // No locality is active behind _TPM_Init: nobody inherits one. Commands that were accepted before
  // and have not begun are lost with the power, unless they `go_on` since nothing had power.
  enum class Waiting { lost, go_on };
  void begin_power_cycle(Waiting waiting);

 private:
  Engine& engine_;
  Backoff& backoff_;

  std::atomic<bool> closed_ = false;
  std::atomic<Locality> locality_{};
  std::atomic<unsigned> power_cycle_ = 0;   // counts power-ons; changed after the locality
  std::atomic<unsigned> oldest_alive_ = 0;  // commands of earlier power cycles are lost

  mutable Mutex mutex_;
  uint64_t accepted_ VTPM_GUARDED_BY(mutex_) = 0;  // so far
  bool running_ VTPM_GUARDED_BY(mutex_) = false;
  // The next one that begins is cancelled, if it is one of the first so many; 0: none is.
  uint64_t next_canceled_ VTPM_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> canceled_ = false;  // the running one; changed under mutex_
};

}  // namespace vtpm
