// Gives a TPM 2.0 another endorsement identity, for the clone of a machine: two TPMs with one
// endorsement key cannot be told apart, and a challenge for the one is answered by the other.
//
// What goes: the endorsement seed, and with it every endorsement key, the persistent objects of the
// endorsement hierarchy, its authorisation and policy; the NV indices of its certificates. What
// stays: the storage and platform hierarchies, all other NV indices, what was sealed.
// TPM 2.0 Library part 3, TPM2_ChangeEPS; TCG EK Credential Profile 2.5, section 2.2.1.4.
//
// Threads: one at a time. Errors: tpm with the response code in words, and the step it was.
#pragma once

#include <cstdint>
#include <vector>

#include "ctl/tool/device/device_client.h"

namespace vtpm {

struct FreshIdentity {
  std::vector<uint32_t> removed;  // NV indices of certificates
  std::vector<uint32_t> left;     // those that the platform may not remove
};

// The TPM has to be powered on and not started; it is shut down in order afterwards, and powered.
Result<FreshIdentity> make_fresh_identity(DeviceClient& device);

}  // namespace vtpm
