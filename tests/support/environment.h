// How often a test repeats itself: few times by default, as often as somebody says in `tests/dev
// soak`.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace vtpm {

inline uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);  // NOLINT: nobody changes it meanwhile
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace vtpm
