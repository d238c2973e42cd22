// Sees which memory is wiped while it lives: the calls of explicit_bzero, which the linker wraps
// (tests/CMakeLists.txt: unit_tests). One at a time. Threads: one test thread.
#pragma once

#include <cstddef>
#include <vector>

namespace vtpm {

class WipedMemory {
 public:
  struct Range {
    const void* begin;
    size_t size;
    friend bool operator==(const Range&, const Range&) = default;
  };

  WipedMemory();
  ~WipedMemory();
  WipedMemory(const WipedMemory&) = delete;
  WipedMemory& operator=(const WipedMemory&) = delete;

  [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
  void note(Range range) { ranges_.push_back(range); }

 private:
  std::vector<Range> ranges_;
};

}  // namespace vtpm
