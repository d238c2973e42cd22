// Bytes that must not outlive their use: keys and passphrases.
//
// Ownership: owns its memory, move-only, wiped when destroyed or assigned to. The memory is kept
// out of swap where the system's limits allow, and its pages stay so. Compare with
// equal_in_constant_time().
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "engine/bytes.h"

namespace vtpm {

// From now on no core dump of this process is written, and no process of the same user may trace
// it: keys are in its memory. Threads: before the first one.
void keep_out_of_dumps();

class Secret {
 public:
  Secret() = default;
  explicit Secret(size_t size);
  explicit Secret(ByteView bytes);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  [[nodiscard]] ByteView view() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::span<std::byte> writable() { return {bytes_.get(), size_}; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  void wipe();

  std::unique_ptr<std::byte[]> bytes_;  // NOLINT: a vector may leave copies behind when it grows
  size_t size_ = 0;
};

}  // namespace vtpm
