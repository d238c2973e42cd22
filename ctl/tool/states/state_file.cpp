#include "ctl/tool/states/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "ctl/tool/states/file_beside.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/trusted_path.h"
#include "engine/state/file/storage_file.h"

namespace vtpm {
namespace {

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
Result<void> check_target(const FilePlace& place, const std::string& path) {
  struct stat status {};
  if (::fstatat(place.directory(), place.name().c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      !S_ISREG(status.st_mode)) {
    return failure(Errc::invalid, "cannot write " + path + ": it is no regular file");
  }
  return {};
}

}  // namespace

Result<void> write_state_file(const std::string& path, ByteView bytes) {
  auto place = FilePlace::open(path);
  auto target = place ? check_target(*place, path) : tl::unexpected(place.error());
  if (!target) {
    return target;
  }
  FileBeside file(*place);
  if (!file || !write_all(file.fd(), bytes) || ::fsync(file.fd()) != 0 ||
      !file.become(FileBeside::Over::anything)) {
    return cannot_write_beside(file, "cannot write ", path);
  }
  auto durable = sync_directory_of(place->path());
  return durable ? durable : tl::unexpected(called(durable.error(), place->path(), path));
}

Result<Bytes> read_state_file(const std::string& path, size_t largest) {
  // Not blocking: a pipe without a writer would hold us up for ever.
  auto opened = open_trusted(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
  if (!opened && opened.error().code == Errc::invalid) {
    return tl::unexpected(opened.error());
  }
  struct stat status {};
  if (!opened || ::fstat(opened->fd.get(), &status) != 0) {
    return system_failure("cannot read " + path, errno);
  }
  const FileDescriptor fd = std::move(opened->fd);
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
