// A TPM command whose header has been read: tag (2 bytes), size (4), code (4), then handles,
// sessions and parameters. TPM 2.0 Library part 1 section 18, TPM 1.2 Main part 3.
//
// Ownership: a view; it is valid as long as the bytes it was made from.
// Threads: a plain value.
// Errors: none. What the bytes are too few for is 0, and has_header() is false: a TPM answers such
// a command as well.
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

// The first ten bytes of every command and every response.
inline constexpr size_t kHeaderSize = 10;

class Command {
 public:
  explicit Command(ByteView bytes) : bytes_(bytes) {
    BigEndianReader reader(bytes);
    tag_ = reader.u16();
    declared_size_ = reader.u32();
    code_ = CommandCode{reader.u32()};
  }

  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] bool has_header() const { return bytes_.size() >= kHeaderSize; }
  [[nodiscard]] uint16_t tag() const { return tag_; }
  // Of the whole command, in bytes, as its sender declares it.
  [[nodiscard]] uint32_t declared_size() const { return declared_size_; }
  [[nodiscard]] CommandCode code() const { return code_; }

 private:
  ByteView bytes_;
  uint16_t tag_;
  uint32_t declared_size_;
  CommandCode code_;
};

}  // namespace vtpm
