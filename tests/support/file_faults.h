// Makes the system calls of file code fail on demand: the n-th call fails with an errno, or every
// write is cut short.
//
// Works where the linker was told to wrap the calls (tests/CMakeLists.txt: unit_tests), so the code
// under test is the code that is shipped. While a FileFaults lives it also lists the calls in
// order. Threads: one test thread.
#pragma once

#include <limits>
#include <string>
#include <vector>

namespace vtpm {

class FileFaults {
 public:
  static constexpr int kNever = std::numeric_limits<int>::max();

  // The call with that number, from 1, fails with `error_number`.
  explicit FileFaults(int failing_call = kNever, int error_number = 0);
  FileFaults(const FileFaults&) = delete;
  FileFaults& operator=(const FileFaults&) = delete;
  ~FileFaults();

  // Each write takes at most that many bytes.
  void cut_writes(size_t most) { largest_write_ = most; }

  // Whether the failing call was reached.
  [[nodiscard]] bool happened() const;

  // "openat", "write", "fsync", ... in the order of the calls.
  [[nodiscard]] const std::vector<std::string>& calls() const { return calls_; }

  // -- for the wrapped calls --

  // True when this call is to fail; errno is set then.
  bool strikes(const char* call);
  [[nodiscard]] size_t largest_write() const { return largest_write_; }

 private:
  const int failing_call_;
  const int error_number_;
  size_t largest_write_ = std::numeric_limits<size_t>::max();
  std::vector<std::string> calls_;
};

}  // namespace vtpm
