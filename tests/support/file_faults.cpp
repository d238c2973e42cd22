#include "tests/support/file_faults.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vtpm {
namespace {

FileFaults* the_faults = nullptr;

bool strikes_here(const char* call) {
  return the_faults != nullptr && the_faults->strikes(call);
}

size_t at_most(size_t size) {
  return the_faults == nullptr ? size : std::min(size, the_faults->largest_write());
}

// Power is cut in memory alone: what the machine's own disk has is of no interest, and it is slow.
bool keeps_the_disk() {
  return the_faults != nullptr;
}

template <class Change>
void note(Change change) {
  if (the_faults != nullptr) {
    the_faults->note(std::move(change));
  }
}

std::string last_name(const char* path) {
  std::string name = path;
  return name.substr(name.rfind('/') + 1);
}

// Of an open file: its number, and whether it is a directory.
std::pair<uint64_t, bool> identity(int fd) {
  struct stat status {};
  fstat(fd, &status);
  return {status.st_ino, S_ISDIR(status.st_mode)};
}

}  // namespace

FileFaults::FileFaults(int failing_call, int error_number)
    : failing_call_(failing_call), error_number_(error_number) {
  the_faults = this;
}

FileFaults::FileFaults(std::function<bool(std::string_view call)> fails)
    : fails_(std::move(fails)) {
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
  if (fails_ && fails_(call)) {
    errno = EIO;
    return true;
  }
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
int __real_fcntl(int fd, int command, ...);
int __real_linkat(int from_directory, const char* from, int to_directory, const char* to,
                  int flags);
int __real_unlinkat(int directory, const char* path, int flags);

// As the C library declares it, but with the mode that its callers pass whenever it matters.
int __wrap_openat(int directory, const char* path, int flags, mode_t mode) {
  // What is only looked at is no call of file code: a path has as many as names.
  if ((flags & O_PATH) == 0 && vtpm::strikes_here("openat")) {
    return -1;
  }
  int fd = __real_openat(directory, path, flags, mode);
  if (fd >= 0 && (flags & O_EXCL) != 0) {
    vtpm::note(vtpm::DirectoryChange{vtpm::DirectoryChange::Kind::create,
                                     vtpm::last_name(path),
                                     {},
                                     vtpm::identity(fd).first,
                                     {}});
  }
  return fd;
}

ssize_t __wrap_read(int fd, void* data, size_t size) {
  return vtpm::strikes_here("read") ? -1 : __real_read(fd, data, size);
}

ssize_t __wrap_write(int fd, const void* data, size_t size) {
  if (vtpm::strikes_here("write")) {
    return -1;
  }
  ssize_t done = __real_write(fd, data, vtpm::at_most(size));
  if (done > 0) {
    vtpm::ByteView written(static_cast<const std::byte*>(data), static_cast<size_t>(done));
    vtpm::note(vtpm::DirectoryChange{vtpm::DirectoryChange::Kind::write,
                                     {},
                                     {},
                                     vtpm::identity(fd).first,
                                     vtpm::Bytes(written.begin(), written.end())});
  }
  return done;
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
    vtpm::note(vtpm::FileChange{vtpm::FileChange::Kind::write, static_cast<uint64_t>(offset),
                                vtpm::Bytes(written.begin(), written.end())});
  }
  return done;
}

int __wrap_ftruncate(int fd, off_t size) {
  if (vtpm::strikes_here("ftruncate")) {
    return -1;
  }
  vtpm::note(vtpm::FileChange{vtpm::FileChange::Kind::resize, static_cast<uint64_t>(size), {}});
  return __real_ftruncate(fd, size);
}

int __wrap_fdatasync(int fd) {
  if (vtpm::strikes_here("fdatasync")) {
    int reason = errno;
    vtpm::note(vtpm::FileChange{vtpm::FileChange::Kind::failed_sync, 0, {}});
    errno = reason;
    return -1;
  }
  vtpm::note(vtpm::FileChange{vtpm::FileChange::Kind::sync, 0, {}});
  return vtpm::keeps_the_disk() ? 0 : __real_fdatasync(fd);
}

int __wrap_fsync(int fd) {
  if (vtpm::strikes_here("fsync")) {
    return -1;
  }
  using Kind = vtpm::DirectoryChange::Kind;
  auto [number, directory] = vtpm::identity(fd);
  vtpm::note(vtpm::DirectoryChange{
      directory ? Kind::sync_directory : Kind::sync_file, {}, {}, number, {}});
  return vtpm::keeps_the_disk() ? 0 : __real_fsync(fd);
}

int __wrap_renameat(int from_directory, const char* from, int to_directory, const char* to) {
  if (vtpm::strikes_here("renameat")) {
    return -1;
  }
  int result = __real_renameat(from_directory, from, to_directory, to);
  if (result == 0) {
    vtpm::note(vtpm::DirectoryChange{
        vtpm::DirectoryChange::Kind::rename, vtpm::last_name(to), vtpm::last_name(from), 0, {}});
  }
  return result;
}

// Reading past the cache would wait for the disk to take what was written.
int __wrap_fcntl(int fd, int command, void* argument) {
  const auto flags = reinterpret_cast<intptr_t>(argument);  // NOLINT: as the kernel takes it
  if (vtpm::keeps_the_disk() && command == F_SETFL && (flags & O_DIRECT) != 0) {
    errno = EINVAL;
    return -1;
  }
  return __real_fcntl(fd, command, argument);
}

int __wrap_linkat(int from_directory, const char* from, int to_directory, const char* to,
                  int flags) {
  return vtpm::strikes_here("linkat")
             ? -1
             : __real_linkat(from_directory, from, to_directory, to, flags);
}

// Only watched: a leftover that cannot be removed is nobody's failure.
int __wrap_unlinkat(int directory, const char* path, int flags) {
  int result = __real_unlinkat(directory, path, flags);
  if (result == 0) {
    vtpm::note(vtpm::DirectoryChange{
        vtpm::DirectoryChange::Kind::unlink, vtpm::last_name(path), {}, 0, {}});
  }
  return result;
}
}
// NOLINTEND(bugprone-reserved-identifier)
