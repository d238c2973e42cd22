// Makes commands from their parts, with the size in the header. Everything is big-endian.
//
// Threads: plain functions. Nothing here looks at the parts.
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

// A TPM 2.0 command without sessions; `body` is its handles and parameters.
Bytes tpm2_command(CommandCode code, ByteView body = {});

// A TPM 2.0 command with one session, the password's (TPM_RS_PW), for the first of its handles.
Bytes tpm2_command_with_password(CommandCode code, ByteView handles, ByteView parameters,
                                 ByteView password = {});

// A TPM 1.2 command without authorisation.
Bytes tpm12_command(CommandCode ordinal, ByteView parameters = {});

// A TPM 2.0 response without sessions, and one of TPM 1.2.
Bytes tpm2_response(ResponseCode code, ByteView parameters = {});
Bytes tpm12_response(ResponseCode code, ByteView parameters = {});

}  // namespace vtpm
