// Where the state of one TPM is kept.
//
// A store keeps up to three blobs for each TPM version. What is in a blob is libtpms' business; how
// it lies on disk is the implementation's, each with a page in docs/.
//
// Ownership: the caller owns the bytes it gives and the bytes it gets. Threads: one at a time; the
// TPM's own lock sees to that. Sizes: a permanent blob is 1 to 180 KB.
// Errors: not_found when a blob does not exist, corrupt when it is damaged, denied when its key is
// missing or wrong, unsupported for a newer format, invalid for storage that holds something else,
// busy when another process holds the lock, io with the operating system's reason for the rest.
#pragma once

#include <string>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

// What to do where no state is: make the place for one, or say that it is missing.
enum class CreateState { if_missing, never };

// Whether a blob is on stable storage when store() returns. With `none` it is in the kernel's
// memory: it survives the end of the process, and a power cut may take the last commits, or leave
// neither the new blob nor the old one whole.
enum class Sync { full, none };

class StateStore {
 public:
  StateStore() = default;
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;
  virtual ~StateStore() = default;

  virtual Result<Bytes> load(BlobName name) = 0;

  // Durable when it returns: the new blob survives a power cut (Sync::full). On failure the old
  // blob is there as before.
  virtual Result<void> store(BlobName name, ByteView blob) = 0;

  // Removing what is not there is no error.
  virtual Result<void> remove(BlobName name) = 0;

  // Keeps every other process out until unlock() or the end of this process. Taken in the process
  // that serves, never before a fork. Locking twice is no error.
  virtual Result<void> lock() = 0;
  virtual void unlock() = 0;

  // For messages: "dir:/var/lib/vtpm/web01".
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace vtpm
