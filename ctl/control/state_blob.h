// A state blob in memory. It holds a TPM's secrets, so its bytes are wiped wherever they leave:
// with the object, when it is assigned to, and when it grows into larger memory.
//
// Ownership: owns its bytes, move-only. Threads: a plain value, no locking.
#pragma once

#include <utility>

#include "engine/base/bytes.h"

namespace vtpm {

class StateBlob {
 public:
  StateBlob() = default;
  StateBlob(Bytes bytes) : bytes_(std::move(bytes)) {}  // NOLINT: meant to convert
  StateBlob(StateBlob&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  StateBlob& operator=(StateBlob&& other) noexcept;
  ~StateBlob() { wipe(); }

  [[nodiscard]] ByteView view() const { return bytes_; }
  [[nodiscard]] size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

  void append(ByteView bytes);
  // It is empty then.
  void wipe();

 private:
  Bytes bytes_;
};

}  // namespace vtpm
