// The response of one open file between the command that made it and the last read: what the
// kernel's TPM character devices keep per open file (drivers/char/tpm/tpm-dev-common.c).
//
// A plain value without locks, threads or clock; RawFile drives it. Bytes that were read or
// discarded are wiped.
#pragma once

#include "engine/base/bytes.h"

namespace vtpm {

class ResponseBuffer {
 public:
  ResponseBuffer() = default;
  ResponseBuffer(const ResponseBuffer&) = delete;
  ResponseBuffer& operator=(const ResponseBuffer&) = delete;
  ~ResponseBuffer() { discard(); }

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

 private:
  Bytes response_;
  size_t offset_ = 0;
};

}  // namespace vtpm
