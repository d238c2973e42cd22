#include "tests/support/file_faults.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vtpm {
namespace {

FileFaults* the_faults = nullptr;

bool strikes_here(const char* call) {
  return the_faults != nullptr && the_faults->strikes(call);
}

size_t at_most(size_t size) {
  return the_faults == nullptr ? size : std::min(size, the_faults->largest_write());
}

void note(FileChange change) {
  if (the_faults != nullptr) {
    the_faults->note(std::move(change));
  }
}

}  // namespace

FileFaults::FileFaults(int failing_call, int error_number)
    : failing_call_(failing_call), error_number_(error_number) {
  the_faults = this;
}

FileFaults::~FileFaults() {
  the_faults = nullptr;
}

bool FileFaults::happened() const {
  return calls_.size() >= static_cast<size_t>(failing_call_);
}

bool FileFaults::strikes(const char* call) {
  calls_.emplace_back(call);
  if (calls_.size() != static_cast<size_t>(failing_call_)) {
    return false;
  }
  errno = error_number_;
  return true;
}

}  // namespace vtpm

// The linker sends calls of NAME to __wrap_NAME and gives the real one as __real_NAME.
// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
extern "C" {
int __real_openat(int directory, const char* path, int flags, ...);
ssize_t __real_read(int fd, void* data, size_t size);
ssize_t __real_write(int fd, const void* data, size_t size);
int __real_fsync(int fd);
ssize_t __real_pread(int fd, void* data, size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void* data, size_t size, off_t offset);
int __real_ftruncate(int fd, off_t size);
int __real_fdatasync(int fd);
int __real_renameat(int from_directory, const char* from, int to_directory, const char* to);

// As the C library declares it, but with the mode that its callers pass whenever it matters.
int __wrap_openat(int directory, const char* path, int flags, mode_t mode) {
  return vtpm::strikes_here("openat") ? -1 : __real_openat(directory, path, flags, mode);
}

ssize_t __wrap_read(int fd, void* data, size_t size) {
  return vtpm::strikes_here("read") ? -1 : __real_read(fd, data, size);
}

ssize_t __wrap_write(int fd, const void* data, size_t size) {
  if (vtpm::strikes_here("write")) {
    return -1;
  }
  return __real_write(fd, data, vtpm::at_most(size));
}

ssize_t __wrap_pread(int fd, void* data, size_t size, off_t offset) {
  return vtpm::strikes_here("pread") ? -1 : __real_pread(fd, data, vtpm::at_most(size), offset);
}

ssize_t __wrap_pwrite(int fd, const void* data, size_t size, off_t offset) {
  if (vtpm::strikes_here("pwrite")) {
    return -1;
  }
  ssize_t done = __real_pwrite(fd, data, vtpm::at_most(size), offset);
  if (done > 0) {
    vtpm::ByteView written(static_cast<const std::byte*>(data), static_cast<size_t>(done));
    vtpm::note({vtpm::FileChange::Kind::write, static_cast<uint64_t>(offset),
                vtpm::Bytes(written.begin(), written.end())});
  }
  return done;
}

int __wrap_ftruncate(int fd, off_t size) {
  if (vtpm::strikes_here("ftruncate")) {
    return -1;
  }
  vtpm::note({vtpm::FileChange::Kind::resize, static_cast<uint64_t>(size), {}});
  return __real_ftruncate(fd, size);
}

int __wrap_fdatasync(int fd) {
  if (vtpm::strikes_here("fdatasync")) {
    return -1;
  }
  vtpm::note({vtpm::FileChange::Kind::sync, 0, {}});
  return __real_fdatasync(fd);
}

int __wrap_fsync(int fd) {
  return vtpm::strikes_here("fsync") ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from_directory, const char* from, int to_directory, const char* to) {
  return vtpm::strikes_here("renameat") ? -1
                                        : __real_renameat(from_directory, from, to_directory, to);
}
}
// NOLINTEND(bugprone-reserved-identifier)
