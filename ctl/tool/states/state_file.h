// Files that hold a saved state blob. They contain the TPM's secrets: the keys of its hierarchies,
// what is in its NV memory.
//
// Threads: plain functions. Errors: io, denied, not_found from the system; invalid for a path that
// names something else than a regular file or a file that is no possible blob.
#pragma once

#include <string>

#include "engine/base/bytes.h"
#include "engine/base/result.h"

namespace vtpm {

// Puts `bytes` in the file at `path`, readable by its owner alone (mode 0600), in place of what was
// there. After a failure, or a power cut, the old or the new contents are there, whole.
Result<void> write_state_file(const std::string& path, ByteView bytes);

// The contents of a regular file of 1 to `largest` bytes.
Result<Bytes> read_state_file(const std::string& path, size_t largest);

}  // namespace vtpm
