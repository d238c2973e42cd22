// The key of a state at rest, in the form that the state's format has.
//
// Ownership: owns its secrets. Read once, since a source may be gone then; stores are opened more
// than once and get copies. Threads: as a value.
#pragma once

#include <string>

#include "engine/keys/sealing.h"
#include "engine/keys/swtpm_key.h"

namespace vtpm {

// Both empty: none.
struct StateKeys {
  SealingKey file;  // of this project's own format
  SwtpmKey swtpm;   // of swtpm's

  [[nodiscard]] bool empty() const { return file.empty() && swtpm.empty(); }
};

enum class KeyForm { file, swtpm };

// Only whether the words of a source make sense; nothing is opened. Errors: invalid.
Result<void> check_state_key_words(KeyForm form, const std::string& source);

// `source`: of key_source.h; empty: no key. Errors: those of reading it.
Result<StateKeys> read_state_keys(KeyForm form, const std::string& source);

}  // namespace vtpm
