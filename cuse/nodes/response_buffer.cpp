#include "cuse/nodes/response_buffer.h"

#include <algorithm>

#include "engine/base/secret.h"

namespace vtpm {
ResponseBuffer::ResponseBuffer(size_t offset, ByteView rest)
    : response_(offset + rest.size()), offset_(offset) {
  std::ranges::copy(rest, response_.begin() + static_cast<std::ptrdiff_t>(offset));
}

ResponseBuffer& ResponseBuffer::operator=(ResponseBuffer&& other) noexcept {
  if (this != &other) {
    discard();
    response_ = std::exchange(other.response_, {});
    offset_ = std::exchange(other.offset_, 0);
  }
  return *this;
}

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
