// What has to be known of the TPM before a command of a space can be understood: asked once for
// each power-on, by the first command that comes after it.
//
// Threads: under the TPM's lock; but power_changed(), by any.
// Errors: the TPM's code; nothing is known then.
#pragma once

#include <atomic>

#include "engine/resource_manager/command_table.h"
#include "engine/resource_manager/own_commands.h"

namespace vtpm {

// What a power cycle left of what the TPM had loaded and of what had been saved out of it.
enum class Left { everything, what_was_saved, nothing };

class TpmFacts {
 public:
  void power_changed() { ++changes_; }
  // The next TPM is another one.
  void forget() {
    power_changed();
    seen_ = false;
  }

  [[nodiscard]] bool known() const { return learned_ == changes_; }
  Answer<Left> learn(OwnCommands& tpm);

  [[nodiscard]] const CommandTable& commands() const { return commands_; }
  [[nodiscard]] uint32_t context_gap() const { return context_gap_; }
  [[nodiscard]] uint32_t active_sessions() const { return active_sessions_; }

 private:
  [[nodiscard]] Left left_since(const StartupCounts& now) const;

  std::atomic<uint64_t> changes_ = 1;  // of power
  uint64_t learned_ = 0;               // behind which of them all this was learned
  bool seen_ = false;                  // counts_ are this TPM's
  StartupCounts counts_;
  CommandTable commands_;
  uint32_t context_gap_ = 0;
  uint32_t active_sessions_ = 0;
};

}  // namespace vtpm
