#include "cuse/response_buffer.h"

#include <string.h>  // NOLINT: explicit_bzero

#include <algorithm>

namespace vtpm {

void ResponseBuffer::put(Bytes response) {
  discard();
  response_ = std::move(response);
}

Bytes ResponseBuffer::take(size_t size) {
  size_t count = std::min(size, response_.size() - offset_);
  auto from = std::span(response_).subspan(offset_, count);
  Bytes taken(from.begin(), from.end());
  explicit_bzero(from.data(), from.size());
  offset_ += count;
  if (!pending()) {
    discard();
  }
  return taken;
}

void ResponseBuffer::discard() {
  explicit_bzero(response_.data(), response_.size());
  response_.clear();
  offset_ = 0;
}

}  // namespace vtpm
