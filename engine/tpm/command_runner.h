// The last link: has the engine execute a command, and notes what followed from it: that the TPM is
// started, was shut down, has failed, or has something unstored.
//
// A command that stores by design and cannot is answered with TPM_RC_NV_UNAVAILABLE (TPM 1.2:
// TPM_RETRY) and undone; once the storage is back the next one works (docs/decisions/0012). One
// that carries another command is answered so too, but what it changed stays to be stored.
//
// Ownership: borrows all. Threads: as CommandPort; commands() by any.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/command/command_port.h"
#include "engine/tpm/engine.h"
#include "engine/tpm/power_state.h"
#include "engine/tpm/storage_custody.h"
#include "engine/tpm/tpm_events.h"

namespace vtpm {

class CommandRunner final : public CommandPort {
 public:
  CommandRunner(Engine& engine, PowerState& power, StorageCustody& storage, TpmListener& listener)
      : engine_(engine), power_(power), storage_(storage), listener_(listener) {}

  Bytes transmit(const Command& command, const Ticket& ticket) override;

  [[nodiscard]] uint64_t commands() const { return commands_; }  // executed so far
  // Whether the last command was a TPM2_Shutdown that succeeded.
  [[nodiscard]] bool last_was_shutdown() const { return last_was_shutdown_; }
  void forget_last() { last_was_shutdown_ = false; }

 private:
  Bytes answer_to_failed(const Command& command, const Error& error);
  void note_executed(const Command& command, ByteView response);

  Engine& engine_;
  PowerState& power_;
  StorageCustody& storage_;
  TpmListener& listener_;
  std::atomic<uint64_t> commands_ = 0;
  bool last_was_shutdown_ = false;
};

}  // namespace vtpm
