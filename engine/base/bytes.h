// Byte sequences and the big-endian integers that TPM commands, responses and swtpm's blobs are
// made of.
//
// Ownership: ByteView never owns; it is valid as long as whatever it was made from. Bytes owns.
// Threads: plain values, no locking.
// Errors: sticky. A reader that ran out of bytes yields zeroes from then on and ok() is false, so a
// caller reads a whole structure and asks once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vtpm {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline bool is_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{}; });
}

class BigEndianReader {
 public:
  explicit BigEndianReader(ByteView bytes) : rest_(bytes) {}

  uint8_t u8() { return static_cast<uint8_t>(integer(1)); }
  uint16_t u16() { return static_cast<uint16_t>(integer(2)); }
  uint32_t u32() { return static_cast<uint32_t>(integer(4)); }
  uint64_t u64() { return integer(8); }

  // The next `count` bytes, or an empty view when there are fewer.
  ByteView bytes(size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  // False once anything was asked for that was not there.
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] size_t remaining() const { return rest_.size(); }

 private:
  uint64_t integer(size_t width) {
    uint64_t value = 0;
    for (std::byte b : bytes(width)) {
      value = value << 8 | std::to_integer<uint64_t>(b);
    }
    return value;
  }

  ByteView rest_;
  bool ok_ = true;
};

class BigEndianWriter {
 public:
  BigEndianWriter& u8(uint8_t value) { return integer(value, 1); }
  BigEndianWriter& u16(uint16_t value) { return integer(value, 2); }
  BigEndianWriter& u32(uint32_t value) { return integer(value, 4); }
  BigEndianWriter& u64(uint64_t value) { return integer(value, 8); }
  BigEndianWriter& bytes(ByteView data) {
    out_.insert(out_.end(), data.begin(), data.end());
    return *this;
  }

  [[nodiscard]] Bytes take() { return std::move(out_); }

 private:
  BigEndianWriter& integer(uint64_t value, unsigned width) {
    for (unsigned i = width; i-- > 0;) {
      out_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
    return *this;
  }

  Bytes out_;
};

}  // namespace vtpm
