#include "cuse/nodes/response_buffer.h"

#include <string.h>  // NOLINT: explicit_bzero

#include <algorithm>

namespace vtpm {
namespace {

void wipe(std::span<std::byte> bytes) {
  if (!bytes.empty()) {  // an empty span may have a null pointer, which explicit_bzero must not get
    explicit_bzero(bytes.data(), bytes.size());
  }
}

}  // namespace

void ResponseBuffer::put(Bytes response) {
  discard();
  response_ = std::move(response);
}

Bytes ResponseBuffer::take(size_t size) {
  size_t count = std::min(size, response_.size() - offset_);
  auto from = std::span(response_).subspan(offset_, count);
  Bytes taken(from.begin(), from.end());
  wipe(from);
  offset_ += count;
  if (!pending()) {
    discard();
  }
  return taken;
}

void ResponseBuffer::discard() {
  wipe(response_);
  response_.clear();
  offset_ = 0;
}

}  // namespace vtpm
