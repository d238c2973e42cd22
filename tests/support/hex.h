// Bytes written as people read them, for expected values: hex("8001 0000000a 00000101").
#pragma once

#include <string>
#include <string_view>

#include "engine/base/bytes.h"

namespace vtpm {

// White space is skipped; the rest are pairs of hexadecimal digits.
inline Bytes hex(std::string_view text) {
  std::string digits;
  for (char c : text) {
    if (c != ' ' && c != '\n') {
      digits += c;
    }
  }
  Bytes bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

inline Bytes to_bytes(ByteView view) {
  return {view.begin(), view.end()};
}
inline Bytes to_bytes(std::string_view text) {
  return to_bytes(as_bytes(text));
}

}  // namespace vtpm
