// What is written on the outside of a saved context (TPMS_CONTEXT); inside it is the TPM's secret.
//
// Ownership: values. Errors: fields of bytes that are too few are 0.
// Source: TPM 2.0 Library part 2 section 14.5.
#pragma once

#include "engine/base/bytes.h"
#include "engine/resource_manager/handles.h"

namespace vtpm {

struct ContextLabel {
  uint64_t sequence;  // of a session: the TPM's count of session contexts when it was saved
  uint32_t handle;    // of a session: its own; else one of the three below
  uint32_t hierarchy;

  explicit ContextLabel(ByteView context) {
    BigEndianReader reader(context);
    sequence = reader.u64();
    handle = reader.u32();
    hierarchy = reader.u32();
  }
  [[nodiscard]] bool is_sequence_object() const { return handle == kFirstTransient + 1; }
};

}  // namespace vtpm
