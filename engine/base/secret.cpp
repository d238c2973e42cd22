#include "engine/base/secret.h"

#include <string.h>  // NOLINT: explicit_bzero
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace vtpm {

void wipe(std::span<std::byte> bytes) {
  if (!bytes.empty()) {  // an empty span may have a null pointer, which explicit_bzero must not get
    explicit_bzero(bytes.data(), bytes.size());
  }
}

void keep_out_of_dumps() {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

Secret::Secret(size_t size) : bytes_(std::make_unique<std::byte[]>(size)), size_(size) {  // NOLINT
  // Without the right to lock memory a key may be swapped out; it is no reason to fail.
  static_cast<void>(mlock(bytes_.get(), size_));
}

Secret::Secret(ByteView bytes) : Secret(bytes.size()) {
  std::ranges::copy(bytes, writable().begin());
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret::~Secret() {
  wipe();
}

void Secret::wipe() {
  if (bytes_) {
    explicit_bzero(bytes_.get(), size_);
    // Never munlock(): it knows pages only, and takes the lock from the secrets beside this one.
  }
}

WipedBytes& WipedBytes::operator=(WipedBytes&& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

WipedBytes::~WipedBytes() {
  wipe();
}

void WipedBytes::append(ByteView bytes) {
  size_t needed = bytes_.size() + bytes.size();
  if (needed > bytes_.capacity()) {
    WipedBytes larger;
    larger.bytes_.reserve(std::max(needed, 2 * bytes_.capacity()));
    larger.bytes_.insert(larger.bytes_.end(), bytes_.begin(), bytes_.end());
    *this = std::move(larger);
  }
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void WipedBytes::wipe() {
  vtpm::wipe(bytes_);
  bytes_.clear();
}

}  // namespace vtpm
