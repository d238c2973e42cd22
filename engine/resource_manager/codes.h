// What the resource manager makes of response codes, and answers with. Its own have the layer's
// number, 11, in bits 16 to 23, as tpm2-tss reads them (TSS2_RESMGR_RC_LAYER).
//
// Source: TPM 2.0 Library part 2 section 6.6; docs/resource_manager.md lists the answers.
// Threads: plain functions.
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"
#include "engine/command/codec.h"

namespace vtpm {

constexpr ResponseCode plus(ResponseCode code, size_t index) {
  return ResponseCode{static_cast<uint32_t>(code) + static_cast<uint32_t>(index)};
}

// TPM_RC_REFERENCE_Hi and _Si: the handle names nothing that is there.
constexpr ResponseCode unknown_handle(size_t index) {
  return plus(rc::reference_h0, index);
}
constexpr ResponseCode unknown_session(size_t index) {
  return plus(rc::reference_s0, index);
}

// A format-one code is about what the command holds, so that sending it again will not help.
constexpr bool is_format_one(ResponseCode code) {
  return (static_cast<uint32_t>(code) & 0x080) != 0 && static_cast<uint32_t>(code) < 0x1000;
}

constexpr bool is_memory_warning(ResponseCode code) {
  return code >= rc::context_gap && code <= rc::object_handles;
}

constexpr ResponseCode layered(ResponseCode code) {
  return ResponseCode{static_cast<uint32_t>(code) | 11U << 16};
}

// Ten bytes: an answer of the resource manager's own.
inline Bytes own_error(ResponseCode code) {
  return error_response(TpmVersion::tpm20, layered(code));
}

}  // namespace vtpm
