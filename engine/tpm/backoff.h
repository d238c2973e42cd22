// Waiting between two attempts at a command, injectable so that tests need no clock.
//
// The delays are those of the kernel's TPM driver (drivers/char/tpm, tpm_transmit): 20 ms doubled
// up to 1280 ms, seven waits, 2.54 s in all; after them the caller gets the TPM's answer as it is.
#pragma once

#include <array>
#include <chrono>

#include "engine/base/mutex.h"

namespace vtpm {

inline constexpr std::array kRetryDelays = {
    std::chrono::milliseconds(20),  std::chrono::milliseconds(40),  std::chrono::milliseconds(80),
    std::chrono::milliseconds(160), std::chrono::milliseconds(320), std::chrono::milliseconds(640),
    std::chrono::milliseconds(1280)};

class Backoff {
 public:
  Backoff() = default;
  Backoff(const Backoff&) = delete;
  Backoff& operator=(const Backoff&) = delete;
  virtual ~Backoff() = default;

  // Waits that long. False when interrupt() ended the wait.
  virtual bool wait(std::chrono::milliseconds delay) = 0;

  // Ends a wait that is going on; from any thread. Without one it does nothing.
  virtual void interrupt() = 0;
};

class RealBackoff final : public Backoff {
 public:
  bool wait(std::chrono::milliseconds delay) override;
  void interrupt() override;

 private:
  Mutex mutex_;
  ConditionVariable interrupted_;
  bool waiting_ VTPM_GUARDED_BY(mutex_) = false;
};

}  // namespace vtpm
