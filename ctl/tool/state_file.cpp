#include "ctl/tool/state_file.h"

#include <fcntl.h>
#include <stdlib.h>  // NOLINT: mkostemp
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "engine/file_descriptor.h"

namespace vtpm {
namespace {

// A file of a name of its own beside its target; removed unless it got the target's name.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target)
      : path_(target + ".XXXXXX"), fd_(::mkostemp(path_.data(), O_CLOEXEC)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (fd_ && !kept_) {
      ::unlink(path_.c_str());
    }
  }

  explicit operator bool() const { return static_cast<bool>(fd_); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  bool become(const std::string& target) {
    kept_ = ::rename(path_.c_str(), target.c_str()) == 0;
    return kept_;
  }

 private:
  std::string path_;
  FileDescriptor fd_;
  bool kept_ = false;
};

tl::unexpected<Error> write_failure(const std::string& path) {
  return system_failure("cannot write " + path, errno);
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    bytes = bytes.subspan(written < 0 ? 0 : static_cast<size_t>(written));
  }
  return true;
}

// A device or a pipe must not be replaced by a file, and a link would be, silently.
Result<void> check_target(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return failure(Errc::invalid, "cannot write " + path + ": it is no regular file");
  }
  return {};
}

}  // namespace

Result<void> write_state_file(const std::string& path, ByteView bytes) {
  if (auto target = check_target(path); !target) {
    return target;
  }
  TemporaryFile file(path);  // made with mode 0600
  if (!file || !write_all(file.fd(), bytes) || ::fsync(file.fd()) != 0 || !file.become(path)) {
    return write_failure(path);
  }
  return sync_directory_of(path);
}

Result<void> sync_directory_of(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path();
  if (directory.empty()) {
    directory = ".";
  }
  FileDescriptor fd(openat(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) {
    return system_failure("cannot make durable the name of " + path, errno);
  }
  return {};
}

Result<Bytes> read_state_file(const std::string& path, size_t largest) {
  // Not blocking: a pipe without a writer would hold us up for ever.
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return system_failure("cannot read " + path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return failure(Errc::invalid, "cannot read " + path + ": it is no regular file");
  }
  Bytes bytes(largest + 1);
  size_t filled = 0;
  while (filled < bytes.size()) {
    ssize_t got = ::read(fd.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno != EINTR) {
      return system_failure("cannot read " + path, errno);
    }
    if (got == 0) {
      break;
    }
    filled += got < 0 ? 0 : static_cast<size_t>(got);
  }
  if (filled == 0 || filled > largest) {
    return failure(Errc::invalid,
                   path + (filled == 0 ? " is empty"
                                       : " has more than the " + std::to_string(largest) +
                                             " bytes that a blob may have"));
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace vtpm
