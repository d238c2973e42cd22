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
  void on_state_change(TpmState state, Event event, const std::string& reason) override {
    states.emplace_back(state, event, reason);
  }
  void on_not_stored(CommandCode command, Change change, const std::string& reason) override {
    not_stored.emplace_back(command, change, reason);
  }
  void on_unstored(Unstored what, const std::string& reason) override {
    unstored.emplace_back(what, reason);
  }

  std::vector<std::tuple<TpmState, Event, std::string>> states;
  std::vector<std::tuple<CommandCode, Change, std::string>> not_stored;
  std::vector<std::pair<Unstored, std::string>> unstored;
};

}  // namespace vtpm
