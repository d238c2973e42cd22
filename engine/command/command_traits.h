// What each command is, apart from its parameters: one table with a row per command code. A new
// trait is a field here and a flag in the rows.
//
// A code that no row has is taken for one that stores and has no handles, so that a command of a
// newer library is on the safe side. tests/contract holds the table against the library: handles
// and flushes against what it tells of itself, what stores against what it does.
//
// Sources: TPM 2.0 Library part 3, TPM 1.2 Main part 3; what libtpms does where they leave it open.
// Threads: plain functions on constants.
#pragma once

#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

// Whether what a command does when it succeeds is in the TPM's permanent state. Such a command is
// undone when its change cannot be stored; of all others nothing is ever undone
// (docs/decisions/0012).
enum class Stores : uint8_t {
  never,
  always,
  by_nv_index,  // when its first handle, which authorises it, is an NV index (TPM_NT_PIN_PASS)
};

struct CommandTraits {
  uint8_t handles;       // in the handle area of the command; TPM 2.0 only
  bool returns_handle;   // the response has a handle area, of one handle; TPM 2.0 only
  bool flushes;          // the object of its last handle ends when it succeeds (TPMA_CC flushed)
  bool is_long;          // it may compute for long: making keys, self tests
  bool carries_another;  // it carries another command and succeeds when that one fails
  Stores stores;
  friend bool operator==(const CommandTraits&, const CommandTraits&) = default;
};

CommandTraits traits_of(TpmVersion version, CommandCode code);

// True as well for codes that nobody knows. `command` has the header and at least the handles.
bool stores_by_design(const CommandTraits& traits, ByteView command);
bool stores_by_design(TpmVersion version, CommandCode code, ByteView command);

// To undo such a command may take the count of a failed authorisation back.
bool carries_another(TpmVersion version, CommandCode code);

bool is_long_running(TpmVersion version, CommandCode code);

}  // namespace vtpm
