// Keeps what a TPM told its listeners.
#pragma once

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/tpm/tpm_events.h"

namespace vtpm {

class RecordingListener final : public TpmListener {
 public:
  void on_phase_change(Phase phase, Event event, const std::string& reason) override {
    phases.emplace_back(phase, event, reason);
  }
  void on_undone(CommandCode command, const std::string& reason) override {
    undone.emplace_back(command, reason);
  }
  void on_unstored(Unstored what, const std::string& reason) override {
    unstored.emplace_back(what, reason);
  }

  std::vector<std::tuple<Phase, Event, std::string>> phases;
  std::vector<std::pair<CommandCode, std::string>> undone;
  std::vector<std::pair<Unstored, std::string>> unstored;
};

}  // namespace vtpm
