// Writes what happens to the TPM to the log.
//
// Threads: as TpmListener.
#pragma once

#include "engine/tpm/tpm_events.h"

namespace vtpm {

class TpmLog final : public TpmListener {
 public:
  void on_state_change(TpmState state, Event event, const std::string& reason) override;
  void on_not_stored(CommandCode command, Change change, const std::string& reason) override;
  void on_unstored(Unstored what, const std::string& reason) override;
};

}  // namespace vtpm
