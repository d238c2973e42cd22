// Which commands store by design: what they do when they succeed is in the TPM's permanent state.
// Such a command is undone when its change cannot be stored; of all others nothing is ever undone
// (docs/decisions/0012). tests/contract runs every command of the library against this list.
//
// Sources: TPM 2.0 Library part 3, TPM 1.2 Main part 3; what libtpms does where they leave it open.
// Threads: plain functions.
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

// True as well for codes that nobody knows, and for what is authorised by an NV index, whose uses
// may be counted in it (TPM_NT_PIN_PASS).
bool stores_by_design(TpmVersion version, CommandCode code, ByteView command);

// True for a command that carries another one and succeeds when that one fails: to undo it may take
// the count of a failed authorisation back.
bool carries_another(TpmVersion version, CommandCode code);

}  // namespace vtpm
