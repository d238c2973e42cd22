// Backups of a running TPM, through the control requests: taken without stopping it, given back
// while it is off.
//
// Ownership: borrows the device and the key. Threads: one at a time.
// Errors: those of the device; busy when the TPM does not hold still; wrong_phase and tpm say in
// their message what the TPM is now and how to go on.
#pragma once

#include <string>
#include <vector>

#include "ctl/tool/device/device_client.h"
#include "ctl/tool/states/state_copies.h"
#include "engine/keys/swtpm_key.h"

namespace vtpm {

// The permanent blob, and with `with_volatile` the volatile one that fits it: read again until the
// permanent one has not changed around it. `migration_key`: null where the daemon has none.
Result<std::vector<StoredBlob>> take_backup(DeviceClient& device, bool with_volatile,
                                            const SwtpmKey* migration_key);

// FILE.1 becomes FILE.2 and so on, up to FILE.`generations`; FILE gets the second name FILE.1 and
// keeps its own, which the next rename takes (where the file system has no second names, FILE
// becomes FILE.1 and is missing until then). Whenever this is interrupted no generation but the
// oldest is lost, and doing it again loses none.
Result<void> shift_generations(const std::string& path, uint32_t generations);

// The blobs of a backup that a device's TPM of that version would go on from.
// Errors: invalid when it has no permanent one of that version.
Result<std::vector<StoredBlob>> blobs_to_restore(const std::vector<StoredBlob>& backup,
                                                 TpmVersion version, bool with_volatile);

// Powers the TPM off, gives it these blobs and no others, and powers it on. What was stored is
// replaced by the power-on, if that succeeds.
Result<void> restore_backup(DeviceClient& device, const std::vector<StoredBlob>& blobs,
                            const SwtpmKey* migration_key);

}  // namespace vtpm
