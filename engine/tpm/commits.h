// How the changes of a command get into the store behind it, or are undone (docs/decisions/0012).
//
//   auto begun = commits.begin(version, command);  // copies the TPM if it stores by design
//   ...the library executes the command and wants changes...
//   auto stored = commits.end(begun, succeeded);   // stores them
//
// When the store does not take them, a command that stores by design and succeeded fails, and the
// TPM goes back to the copy, as if the command had never come. Of all others nothing is undone:
// their changes stay unstored, and are tried again behind the next command.
//
// A state that was saved for resuming (by TPM2_Shutdown, by TPM_SaveState) ends with the next
// command that changes what was saved, and a crash must not bring it back: until it has ended every
// command is one that stores. Of a TPM 1.2 any command ends it. A TPM 2.0 that was resumed from a
// volatile state may have saved one before that was taken; it has certainly ended with a PCR_Extend
// or PCR_Event of one of the PCRs 0 to 15, which TPM2_Shutdown saves.
//
// Ownership: borrows all three; a Begun owns its copy, which is wiped with it. Threads: one at a
// time, as the store. Nothing here knows the library: it is behind RestorableTpm.
// Errors: those of the store.
#pragma once

#include <optional>

#include "engine/base/secret.h"
#include "engine/base/tpm_types.h"
#include "engine/tpm/unstored_changes.h"

namespace vtpm {

// The whole TPM, as it was at one moment.
struct TpmCopy {
  WipedBytes permanent;
  WipedBytes volatile_state;
};

class RestorableTpm {
 public:
  RestorableTpm() = default;
  RestorableTpm(const RestorableTpm&) = delete;
  RestorableTpm& operator=(const RestorableTpm&) = delete;
  virtual ~RestorableTpm() = default;

  // Nothing when it cannot be had: of a TPM that is off, or has failed.
  virtual std::optional<TpmCopy> copy() = 0;

  // Makes the TPM what it was. Where that is not possible, for want of a copy as well, it is off
  // and in failure mode afterwards. Nothing that it wants stored meanwhile counts.
  virtual void go_back_to(const std::optional<TpmCopy>& copy) = 0;
};

class Commits {
 public:
  // A command, from before it to its answer.
  struct Begun {
    TpmVersion version{};
    std::optional<CommandCode> code;  // nothing: a call that is none, of the hash interface
    bool stores = false;              // by design
    bool may_be_undone = false;
    bool ends_saved_state = false;  // certainly, when it succeeds
    std::optional<TpmCopy> before;  // of one that stores
  };

  Commits(UnstoredChanges& changes, StateStore& store, RestorableTpm& tpm)
      : changes_(changes), store_(store), tpm_(tpm) {}

  // Whether a state is saved is not known yet: of a TPM 2.0 that was not resumed none is, its
  // Startup ends it.
  void note_power_on(TpmVersion version, bool resumed) {
    ends_saved_state_ = version == TpmVersion::tpm12 || resumed;
  }

  Begun begin(TpmVersion version, ByteView bytes);
  // Of a call that is no command and may store.
  Begun begin_call(TpmVersion version);

  Result<void> end(const Begun& begun, bool succeeded);

 private:
  void note_saved_state(const Begun& begun, bool succeeded);
  [[nodiscard]] UnstoredChanges::Changes stored_before(const Begun& begun) const;

  UnstoredChanges& changes_;
  StateStore& store_;
  RestorableTpm& tpm_;
  bool ends_saved_state_ = false;  // the next command may end one
};

}  // namespace vtpm
