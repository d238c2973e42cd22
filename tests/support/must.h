// For steps of a test that are not its subject: ends the test when they fail.
#pragma once

#include <stdexcept>
#include <utility>

#include "engine/base/result.h"

namespace vtpm {

inline void must(const Result<void>& result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
}

template <class T>
T must(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

}  // namespace vtpm
