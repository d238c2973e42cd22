// The response of one open file between the command that made it and the last read: what the
// kernel's TPM character devices keep per open file (drivers/char/tpm/tpm-dev-common.c).
//
// A plain value without locks, threads or clock; RawFile drives it. Move-only; bytes that were read
// or discarded are wiped.
#pragma once

#include <utility>

#include "engine/base/bytes.h"

namespace vtpm {

class ResponseBuffer {
 public:
  ResponseBuffer() = default;
  // Of which `offset` bytes were read and the rest was not.
  ResponseBuffer(size_t offset, ByteView rest);
  ResponseBuffer(ResponseBuffer&& other) noexcept
      : response_(std::exchange(other.response_, {})), offset_(std::exchange(other.offset_, 0)) {}
  ResponseBuffer& operator=(ResponseBuffer&& other) noexcept;
  ~ResponseBuffer() { discard(); }
  friend bool operator==(const ResponseBuffer&, const ResponseBuffer&) = default;

  void put(Bytes response);

  // The next bytes, at most `size`; empty when nothing is pending.
  Bytes take(size_t size);

  // Drops what is left: the timeout, the next command after a partial read, the end of the file.
  void discard();

  // Bytes are left to read.
  [[nodiscard]] bool pending() const { return offset_ < response_.size(); }

  // Nothing of a pending response was read yet: a new command is refused. After the first partial
  // read it is accepted, and the tail is dropped.
  [[nodiscard]] bool unread() const { return pending() && offset_ == 0; }

  [[nodiscard]] size_t offset() const { return offset_; }
  [[nodiscard]] ByteView rest() const { return ByteView(response_).subspan(offset_); }
  [[nodiscard]] ResponseBuffer copy() const { return {offset_, rest()}; }

 private:
  Bytes response_;
  size_t offset_ = 0;
};

}  // namespace vtpm
