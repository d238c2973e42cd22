// For steps of a test that are not its subject: ends the test when they fail.
#pragma once

#include <stdexcept>

#include "engine/base/result.h"

namespace vtpm {

inline void must(const Result<void>& result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
}

}  // namespace vtpm
