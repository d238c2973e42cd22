// Lets memory run out: operator new throws std::bad_alloc while one of these says so. Part of the
// test program, in the place of the library's own (tests/CMakeLists.txt).
//
// One at a time. Threads: any; memory fails on those that are meant.
#pragma once

#include <cstddef>

namespace vtpm {

class FailingMemory {
 public:
  enum class On { this_thread, other_threads };
  enum class For {
    once,     // the one allocation
    for_ever  // and all that come after it
  };

  // After `spared` allocations that succeed.
  FailingMemory(On on, For how_long, size_t spared);
  ~FailingMemory() { end(); }
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;

  // From now on there is memory.
  void end();
  // Whether any allocation failed.
  [[nodiscard]] bool failed() const;
};

}  // namespace vtpm
