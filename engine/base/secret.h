// Bytes that must not outlive their use: keys and passphrases (Secret), state blobs (WipedBytes),
// and structures with pieces of such (Wiped). docs/security.md says what is wiped and what is not.
//
// Ownership: all own their memory, which is wiped when they are destroyed or assigned to.
//
// Secret is a type of its own because its memory is kept out of swap, where the system's limits
// allow, and its pages stay so. That is little memory, often 64 KiB: state blobs, which are larger
// than that and come with every change, would take it from the keys. Blobs are also Bytes to
// stores and engines, which a Secret cannot become without leaving a copy.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "engine/base/bytes.h"

namespace vtpm {

// For whatever no type of this file owns.
void wipe(std::span<std::byte> bytes);

// A plain structure that has such bytes in it for a while.
template <class Structure>
class Wiped {
 public:
  Wiped() = default;
  explicit Wiped(const Structure& structure) : structure_(structure) {}
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { wipe(std::as_writable_bytes(std::span(&structure_, 1))); }

  Structure* operator->() { return &structure_; }
  const Structure& operator*() const { return structure_; }

 private:
  Structure structure_{};
};

// From now on no core dump of this process is written, and no process of the same user may trace
// it: keys are in its memory. Threads: before the first one.
void keep_out_of_dumps();

// Move-only. Compare with equal_in_constant_time().
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

class WipedBytes {
 public:
  WipedBytes() = default;
  explicit WipedBytes(Bytes bytes) : bytes_(std::move(bytes)) {}
  WipedBytes(const WipedBytes&) = default;
  WipedBytes(WipedBytes&&) noexcept = default;
  WipedBytes& operator=(const WipedBytes&) = delete;
  WipedBytes& operator=(WipedBytes&& other) noexcept;
  ~WipedBytes();

  [[nodiscard]] const Bytes& get() const { return bytes_; }
  friend bool operator==(const WipedBytes&, const WipedBytes&) = default;

  // What it grows out of is wiped as well.
  void append(ByteView bytes);
  // It is empty then.
  void wipe();

 private:
  Bytes bytes_;
};

}  // namespace vtpm
