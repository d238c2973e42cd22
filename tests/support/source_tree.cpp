#include "tests/support/source_tree.h"

namespace vtpm {

std::string source_file(const std::string& name) {
  return std::string(VTPM_SOURCE_DIR "/") + name;
}

}  // namespace vtpm
