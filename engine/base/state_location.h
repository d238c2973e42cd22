// Where a TPM's state is, as --state and vtpmctl name it: "file:/var/lib/vtpm/web01/state",
// "dir:/var/lib/swtpm/web01".
//
// Threads: plain values. Errors: invalid, with what may be said instead.
#pragma once

#include <string>

#include "engine/base/result.h"

namespace vtpm {

enum class StateFormat {
  file,  // this project's own: one file or block device (file_store.h)
  dir,   // swtpm's directory (dir_store.h)
};

struct StateLocation {
  StateFormat format = StateFormat::file;
  std::string path;

  // As parse_state_location() takes it.
  [[nodiscard]] std::string describe() const {
    return (format == StateFormat::file ? "file:" : "dir:") + path;
  }
};

Result<StateLocation> parse_state_location(const std::string& text);

}  // namespace vtpm
