// Answers what is not for the TPM to answer, and lets everything else through: commands of a TPM
// that has ended, or whose power was taken since they were accepted (the failure response), that
// were cancelled before they began, that come while the storage is waited for or in other hands
// (TPM_RC_RETRY: the kernel's and the TSS's senders try again).
//
// It also says how long commands may be, when a TPM 2.0 that is on and not started is asked for
// exactly that, which it would refuse by itself: docs/decisions/0004.
//
// It stands before the retries: what it answers with TPM_RC_RETRY is ended by a control request,
// which could not come while the command is sent again here (docs/decisions/0021).
//
// Ownership: borrows all. Threads: as CommandPort. Commands of the power cycle itself pass.
#pragma once

#include <optional>

#include "engine/command/command_port.h"
#include "engine/tpm/accepted_commands.h"
#include "engine/tpm/engine.h"
#include "engine/tpm/power_state.h"

namespace vtpm {

class PowerGate final : public CommandPort {
 public:
  PowerGate(CommandPort& next, Engine& engine, const PowerState& power,
            const AcceptedCommands& accepted)
      : next_(next), engine_(engine), power_(power), accepted_(accepted) {}

  Bytes transmit(const Command& command, const Ticket& ticket) override;

  // The answer to a client's command that is not for the TPM, whatever it says; nothing for one
  // that is.
  [[nodiscard]] std::optional<Bytes> refusal(const Ticket& ticket) const;

 private:
  [[nodiscard]] bool asks_size_before_startup(const Command& command) const;

  CommandPort& next_;
  Engine& engine_;
  const PowerState& power_;
  const AcceptedCommands& accepted_;
};

}  // namespace vtpm
