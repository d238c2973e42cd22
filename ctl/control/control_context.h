// What control requests work on: one TPM, what its daemon was told of it, and the daemon.
#pragma once

#include "ctl/control/surroundings.h"
#include "engine/keys/swtpm_key.h"
#include "engine/tpm/virtual_tpm.h"

namespace vtpm {

struct ControlPolicy {
  bool reject_locality_4 = false;
  // The storage lock is released once the savestate blob was asked for, the last of a migration.
  bool release_lock_outgoing = false;
  // INIT waits for the storage lock, which the source of a migration may still hold.
  bool incoming = false;
};

// Everything in it is borrowed and outlives every request.
struct ControlContext {
  VirtualTpm& tpm;
  Surroundings& surroundings;
  ControlPolicy policy = {};
  const SwtpmKey* migration_key = nullptr;  // null: blobs go out unencrypted
  // swtpm's key of the stored state, which blobs are also encrypted with unless the request says
  // that they be decrypted. Null: there is none of swtpm's form.
  const SwtpmKey* file_key = nullptr;
  bool sealed = false;  // the stored state is encrypted, with a key of whatever form
};

}  // namespace vtpm
