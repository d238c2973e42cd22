// The storage of a TPM's state, as the user that the daemon runs as will find it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cuse/sandbox/privileges.h"
#include "engine/base/state_location.h"
#include "engine/keys/state_keys.h"
#include "engine/state/state_store.h"

namespace vtpm {

struct StateRequest {
  StateLocation location;
  CreateState create = CreateState::if_missing;
  Sync sync = Sync::full;
  bool wait = false;  // until it is there
};

// The form of key that states of that format have.
inline KeyForm key_form(StateFormat format) {
  return format == StateFormat::file ? KeyForm::file : KeyForm::swtpm;
}

// Opens it, and makes it first if it is missing and may be made. It is made by the user itself, or,
// where only root can write (/var/lib/vtpm), by root for that user. Nothing in it is read. With
// `wait` nothing is opened and nothing made: that is done by the store's lock().
// `keys` outlive the store, and are of the location's form (key_form()).
// Errors: those of the stores' open(); denied says whom the storage has to belong to; invalid where
// this process may not write files as large as a file: state.
Result<std::unique_ptr<StateStore>> open_state(const StateRequest& request, const StateKeys& keys,
                                               const std::optional<RunAs>& run_as);

// Makes the directory that a file: state is to lie in, where only root can write, for that user.
Result<void> make_directory_of(const StateLocation& location, const std::optional<RunAs>& run_as);

// The file or directory that has to be reached from within the sandbox: the state's own, or, as
// long as that may be missing, the nearest directory above it that is there; for a device all of
// /dev, since names like /dev/disk/by-id/... lead elsewhere in it.
std::string reachable_path(const StateRequest& request);

// What a refusal by the file system needs to be understood: adds which directory is closed, whom
// the state has to belong to, or what a unit has to allow. As the user who was refused.
Error explain_refusal(Error error, const StateLocation& location,
                      const std::optional<RunAs>& run_as);

}  // namespace vtpm
