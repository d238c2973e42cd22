// What happens to a TPM, for any number of listeners: the log, the daemon's health, metrics.
//
// Ownership: listeners are borrowed and outlive the TPM's last event. Threads: add() before the
// first event; listeners are called on whichever thread causes the event, under the TPM's lock, so
// they may ask what never blocks and nothing else.
#pragma once

#include <string>
#include <vector>

#include "engine/base/tpm_types.h"
#include "engine/tpm/lifecycle.h"

namespace vtpm {

// What becomes of what the store has not taken: some is kept in memory; all is stored; the TPM ends
// and it is lost.
enum class Unstored { kept, stored, lost };

// What becomes of what a command changed and the store did not take: it is undone, as if the
// command had never come; or it is done, and kept to be stored, since the command carried another
// one whose success it cannot take back.
enum class Change { undone, kept };

// A listener overrides what it cares about.
class TpmListener {
 public:
  TpmListener() = default;
  TpmListener(const TpmListener&) = delete;
  TpmListener& operator=(const TpmListener&) = delete;
  virtual ~TpmListener() = default;

  // The state after the event. The reason is empty unless something failed.
  virtual void on_state_change(TpmState /*state*/, Event /*event*/, const std::string& /*reason*/) {
  }

  // A command was answered with failure because what it changed could not be stored.
  virtual void on_not_stored(CommandCode /*command*/, Change /*change*/,
                             const std::string& /*reason*/) {}

  // With the store's reason.
  virtual void on_unstored(Unstored /*what*/, const std::string& /*reason*/) {}
};

// Passes every event on to all of them, in the order in which they were added.
class TpmEvents final : public TpmListener {
 public:
  void add(TpmListener& listener) { listeners_.push_back(&listener); }

  void on_state_change(TpmState state, Event event, const std::string& reason) override {
    for (TpmListener* listener : listeners_) {
      listener->on_state_change(state, event, reason);
    }
  }
  void on_not_stored(CommandCode command, Change change, const std::string& reason) override {
    for (TpmListener* listener : listeners_) {
      listener->on_not_stored(command, change, reason);
    }
  }
  void on_unstored(Unstored what, const std::string& reason) override {
    for (TpmListener* listener : listeners_) {
      listener->on_unstored(what, reason);
    }
  }

 private:
  std::vector<TpmListener*> listeners_;
};

}  // namespace vtpm
