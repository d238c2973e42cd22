// The directory of a TPM's state, as the user that the daemon runs as will find it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cuse/privileges.h"
#include "engine/dir_store.h"

namespace vtpm {

// Opens it, and makes it first if it is missing and may be made. It is made by the user itself, or,
// where only root can write (/var/lib/vtpm), by root for that user. Nothing in it is read.
// Errors: those of DirStore::open(); denied says whom the directory has to belong to.
Result<std::unique_ptr<DirStore>> open_state_directory(const std::string& path, CreateState create,
                                                       const std::optional<RunAs>& run_as);

// What a refusal by the file system needs to be understood: adds whom the state has to belong to.
Error explain_refusal(Error error, const std::optional<RunAs>& run_as);

}  // namespace vtpm
