// One open file of the raw node: its commands go to the TPM as they are.
//
// Ownership and threads: as CommandFile; it holds the node's only slot until it is released.
#pragma once

#include <optional>
#include <utility>

#include "cuse/nodes/command_file.h"
#include "cuse/nodes/opener_slot.h"

namespace vtpm {

// Whether the raw node's opener is the TPM's power switch: on (not started) with open, off in order
// with close.
enum class PowerSwitch { independent, at_open };

class RawFile final : public CommandFile {
 public:
  // Closing it gives `hold` back for the next opener, and may be the power switch.
  RawFile(const CommandFileParts& parts, PowerSwitch power, OpenerSlot::Hold hold,
          OpenFileState state)
      : CommandFile(parts, std::move(state)), power_(power), hold_(std::move(hold)) {}

 private:
  Bytes execute(const VirtualTpm::Pending& pending, ByteView command) override {
    return parts().tpm.execute(pending, command);
  }
  void close_in_order(Closing closing) override;
  void give_back() noexcept override;

  const PowerSwitch power_;
  std::optional<OpenerSlot::Hold> hold_;  // until release
};

}  // namespace vtpm
