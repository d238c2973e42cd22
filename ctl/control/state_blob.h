// A state blob in memory. It holds a TPM's secrets, so its bytes are wiped wherever they leave:
// with the object, when it is assigned to, and when it grows into larger memory.
//
// Ownership: owns its bytes, move-only. Threads: a plain value, no locking.
#pragma once

#include <utility>

#include "engine/base/bytes.h"
#include "engine/base/secret.h"

namespace vtpm {

class StateBlob {
 public:
  StateBlob() = default;
  StateBlob(Bytes bytes) : bytes_(std::move(bytes)) {}  // NOLINT: meant to convert
  StateBlob(StateBlob&& other) noexcept = default;
  StateBlob& operator=(StateBlob&& other) noexcept = default;
  ~StateBlob() = default;
  friend bool operator==(const StateBlob&, const StateBlob&) = default;

  [[nodiscard]] ByteView view() const { return bytes_.get(); }
  [[nodiscard]] size_t size() const { return bytes_.get().size(); }
  [[nodiscard]] bool empty() const { return bytes_.get().empty(); }
  [[nodiscard]] StateBlob copy() const { return {bytes_.get()}; }

  void append(ByteView bytes) { bytes_.append(bytes); }
  // It is empty then.
  void wipe() { bytes_.wipe(); }

 private:
  WipedBytes bytes_;
};

}  // namespace vtpm
