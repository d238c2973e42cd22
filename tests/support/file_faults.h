// Makes the system calls of file code fail on demand: the n-th call fails with an errno, or every
// read and write is cut short. Keeps what was written for a disk that loses power (power_cut.h).
//
// Works where the linker was told to wrap the calls (tests/CMakeLists.txt: unit_tests), so the code
// under test is the code that is shipped. While a FileFaults lives it also lists the calls in
// order, and nothing waits for the disk. Threads: one test thread.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"

namespace vtpm {

// A call that changed a file's contents and was let through, or that made them durable, or failed
// to.
struct FileChange {
  enum class Kind { write, resize, sync, failed_sync } kind;
  uint64_t offset = 0;  // resize: the new size
  Bytes data;
};

// The same for files that are made, written from their beginning, renamed and removed.
struct DirectoryChange {
  enum class Kind { create, write, sync_file, rename, unlink, sync_directory } kind;
  std::string name;   // without its directory
  std::string from;   // rename
  uint64_t file = 0;  // create, write, sync_file: the operating system's number
  Bytes data;
};

class FileFaults {
 public:
  static constexpr int kNever = std::numeric_limits<int>::max();

  // The call with that number, from 1, fails with `error_number`.
  explicit FileFaults(int failing_call = kNever, int error_number = 0);
  // Each call for which `fails` says so fails with EIO.
  explicit FileFaults(std::function<bool(std::string_view call)> fails);
  FileFaults(const FileFaults&) = delete;
  FileFaults& operator=(const FileFaults&) = delete;
  ~FileFaults();

  // Each read and write takes at most that many bytes.
  void cut_writes(size_t most) { largest_write_ = most; }

  // Whether the failing call was reached.
  [[nodiscard]] bool happened() const;

  // "openat", "write", "fsync", ... in the order of the calls.
  [[nodiscard]] const std::vector<std::string>& calls() const { return calls_; }

  // Of pwrite, ftruncate and fdatasync, in their order.
  [[nodiscard]] const std::vector<FileChange>& changes() const { return changes_; }

  // Of openat with O_CREAT, write, fsync, renameat and unlinkat, in their order.
  [[nodiscard]] const std::vector<DirectoryChange>& directory_changes() const {
    return directory_changes_;
  }

  // -- for the wrapped calls --

  // True when this call is to fail; errno is set then.
  bool strikes(const char* call);
  [[nodiscard]] size_t largest_write() const { return largest_write_; }
  void note(FileChange change) { changes_.push_back(std::move(change)); }
  void note(DirectoryChange change) { directory_changes_.push_back(std::move(change)); }

 private:
  const int failing_call_ = kNever;
  const int error_number_ = 0;
  const std::function<bool(std::string_view call)> fails_;
  size_t largest_write_ = std::numeric_limits<size_t>::max();
  std::vector<std::string> calls_;
  std::vector<FileChange> changes_;
  std::vector<DirectoryChange> directory_changes_;
};

}  // namespace vtpm
