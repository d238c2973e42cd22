// Sends a command again that a TPM 2.0 answered with TPM_RC_RETRY or TPM_RC_TESTING (but for self
// tests), with the kernel driver's back-off: nobody below a character device does it for its users.
// A command that is cancelled meanwhile is answered with TPM_RC_CANCELED.
//
// Ownership: borrows all three. Threads: as CommandPort; waits() by any.
#pragma once

#include <atomic>

#include "engine/command/command_port.h"
#include "engine/tpm/backoff.h"
#include "engine/tpm/engine.h"

namespace vtpm {

class RetryLink final : public CommandPort {
 public:
  RetryLink(CommandPort& next, const Engine& engine, Backoff& backoff)
      : next_(next), engine_(engine), backoff_(backoff) {}

  Bytes transmit(const Command& command, const Ticket& ticket) override;

  // Whether a command has been sent again, or waits for that.
  [[nodiscard]] bool waits() const { return waits_; }

 private:
  Bytes send_again(const Command& command, const Ticket& ticket, Bytes response);

  CommandPort& next_;
  const Engine& engine_;
  Backoff& backoff_;
  std::atomic<bool> waits_ = false;
};

}  // namespace vtpm
