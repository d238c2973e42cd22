// Reads and makes the few TPM commands and responses that this code base itself has to understand:
// headers of responses, Startup, Shutdown, and the response of a TPM in failure.
//
// Everything is big-endian as in TPM 2.0 Library part 1 section 18 and TPM 1.2 Main part 3. Views
// are valid as long as the bytes they were made from. No function here throws or logs.
#pragma once

#include <optional>

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"
#include "engine/command/command.h"

namespace vtpm {

// The buffer of the kernel's own TPM character devices, for commands and for responses, in bytes.
inline constexpr size_t kMaxMessage = 4096;

struct ResponseHeader {
  uint16_t tag;
  uint32_t size;
  ResponseCode code;
};

// Nothing when there are fewer than ten bytes.
std::optional<ResponseHeader> parse_response_header(ByteView response);

// The response's code; rc::failure when it is shorter than a header.
ResponseCode response_code(ByteView response);

Bytes startup_command(TpmVersion version, StartupType type);

// TPM 2.0 only.
Bytes shutdown_command(ShutdownType type);

// A query that every TPM of that version answers in every phase and that changes nothing:
// TPM2_GetCapability of one property, or TPM_GetCapability of the version.
Bytes probe_command(TpmVersion version);

// A query that changes nothing and that a TPM which is not started refuses with
// not_started_code(): TPM2_ReadClock, or TPM_PCRRead.
Bytes started_query(TpmVersion version);
ResponseCode not_started_code(TpmVersion version);

// TPM2_GetCapability of the two properties that say how long commands and responses may be, and the
// answer to it. Hypervisors ask before the firmware has started the TPM.
Bytes buffer_size_query();
Bytes buffer_size_response(uint32_t size);

// The dictionary-attack protection of a TPM 2.0: how many wrong authorisations count now, how many
// lock it out, and the seconds until one of them counts no more, and until the lockout hierarchy
// may try again.
struct LockoutState {
  uint32_t failed;
  uint32_t limit;
  uint32_t interval;
  uint32_t recovery;
};
// TPM2_GetCapability of it (TPM 2.0 Library part 2, TPM_PT_LOCKOUT_COUNTER and what follows).
Bytes lockout_query();
// Nothing for a response that is none to that.
std::optional<LockoutState> parse_lockout(ByteView response);

// Ten bytes: a response without parameters, tagged as that version does.
Bytes error_response(TpmVersion version, ResponseCode code);

// What a TPM in failure answers (TPM_RC_FAILURE, or TPM_FAIL for 1.2), with its version's tag:
// clients tell the versions apart by the tag, even before power-on.
Bytes failure_response(TpmVersion version);

}  // namespace vtpm
