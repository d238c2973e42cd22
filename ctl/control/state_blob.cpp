#include "ctl/control/state_blob.h"

#include <string.h>  // NOLINT: explicit_bzero

#include <algorithm>

namespace vtpm {

StateBlob& StateBlob::operator=(StateBlob&& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

void StateBlob::append(ByteView bytes) {
  size_t needed = bytes_.size() + bytes.size();
  if (needed > bytes_.capacity()) {
    StateBlob larger;
    larger.bytes_.reserve(std::max(needed, 2 * bytes_.capacity()));
    larger.bytes_.insert(larger.bytes_.end(), bytes_.begin(), bytes_.end());
    *this = std::move(larger);
  }
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void StateBlob::wipe() {
  if (!bytes_.empty()) {
    explicit_bzero(bytes_.data(), bytes_.size());
  }
  bytes_.clear();
}

}  // namespace vtpm
