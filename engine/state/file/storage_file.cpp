#include "engine/state/file/storage_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "engine/base/inherited.h"
#include "engine/base/trusted_path.h"

namespace vtpm {
namespace {

tl::unexpected<Error> cannot(const std::string& what, const std::string& path) {
  return system_failure("cannot " + what + " " + path, errno);
}

// A file that this process has open already is named by its descriptor. It may have no name yet.
bool is_our_descriptor(const std::string& path) {
  return descriptor_of_path(path).has_value();
}

// Of a file that is open, "no such device" is not "no such file", and "denied" is no matter of
// keys.
tl::unexpected<Error> failed_to(const std::string& what, const std::string& path) {
  auto failed = io_failure("cannot " + what + " " + path, errno);
  if (errno == EFBIG) {
    failed.value().message += ". The limit for the size of files (ulimit -f, LimitFSIZE=) is lower";
  }
  return failed;
}

// A signal is no answer.
template <class Call>
auto until_not_interrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

// A directory that may be entered and not read (0711), or that the sandbox hides, is made durable
// with its whole file system.
Result<void> make_name_durable(const std::string& path, const FileDescriptor& file) {
  auto durable = sync_directory_of(path);
  if (durable || durable.error().code != Errc::denied) {
    return durable;
  }
  if (until_not_interrupted([&] { return syncfs(file.get()); }) != 0) {
    return cannot("make durable the name of", path);
  }
  return {};
}

Result<TrustedFile> create(const std::string& path) {
  auto made = open_trusted(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (!made) {
    bool refused = made.error().code == Errc::invalid;
    auto failed = refused ? tl::unexpected(made.error()) : cannot("create", path);
    if (errno == ENOENT) {
      failed.value().message += ". Make or mount the directory that it is in first";
    }
    return failed;
  }
  return made;
}

// O_NONBLOCK: a FIFO is refused by its type instead of waited for.
int flags_of(StorageFile::Access access) {
  return (access == StorageFile::Access::read ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY;
}

}  // namespace

Result<void> sync_directory_of(const std::string& path) {
  size_t slash = path.rfind('/');
  std::string name = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  auto directory = open_trusted(name, O_RDONLY | O_DIRECTORY);
  if (!directory || until_not_interrupted([&] { return fsync(directory->fd.get()); }) != 0) {
    return cannot("make durable the name of", path);
  }
  return {};
}

Result<StorageFile> StorageFile::open(const std::string& path, Access access, CreateState create) {
  auto opened = open_trusted(path, flags_of(access));
  bool created = !opened && opened.error().code == Errc::not_found && errno == ENOENT &&
                 create == CreateState::if_missing && access == Access::write;
  if (created) {
    opened = vtpm::create(path);
  }
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  FileDescriptor fd = std::move(opened->fd);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) {
    return cannot("examine", path);
  }
  bool block_device = S_ISBLK(status.st_mode);
  bool somebodys_link = opened->by_link && !is_our_descriptor(path);
  if (!block_device && (somebodys_link || !S_ISREG(status.st_mode))) {
    return failure(Errc::invalid,
                   path +
                       " is neither a regular file (symbolic links to one are not followed) "
                       "nor a block device");
  }
  // Also when somebody else has made it, who may have been ended before this.
  bool new_name =
      !block_device && status.st_size == 0 && access == Access::write && !is_our_descriptor(path);
  if (auto durable = new_name ? make_name_durable(path, fd) : Result<void>(); !durable) {
    if (created) {
      unlinkat(AT_FDCWD, path.c_str(), 0);  // the next try makes it, and its name, anew
    }
    return tl::unexpected(durable.error());
  }
  StorageFile file(path, std::move(fd), access, block_device);
  file.made_here_ = created;
  return file;
}

StorageFile::StorageFile(std::string path, FileDescriptor file, Access access, bool block_device)
    : path_(std::move(path)),
      file_(std::move(file)),
      access_(access),
      block_device_(block_device) {}

Result<uint64_t> StorageFile::size() const {
  off_t end = lseek(file_.get(), 0, SEEK_END);
  if (end < 0) {
    return failed_to("find the size of", path_);
  }
  return static_cast<uint64_t>(end);
}

Result<Bytes> StorageFile::read(uint64_t offset, size_t size) const {
  Bytes bytes(size);
  size_t done = 0;
  while (done < size) {
    auto rest = std::span(bytes).subspan(done);
    ssize_t got = until_not_interrupted([&] {
      return locked_ ? read_direct(rest, offset + done) : read_cached(rest, offset + done);
    });
    if (got < 0) {
      return failed_to("read", path_);
    }
    if (got == 0) {
      break;
    }
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

ssize_t StorageFile::read_cached(std::span<std::byte> into, uint64_t offset) const {
  return pread(file_.get(), into.data(), into.size(), static_cast<off_t>(offset));
}

// Disks want offset, size and memory in multiples of their blocks. A file system that cannot do it
// says so at once, or (some of FUSE's) at the read: its cache is all there is then.
ssize_t StorageFile::read_direct(std::span<std::byte> into, uint64_t offset) const {
  constexpr size_t kBlock = 4096;
  const int flags = fcntl(file_.get(), F_GETFL);
  if (flags < 0 || fcntl(file_.get(), F_SETFL, flags | O_DIRECT) != 0) {
    return read_cached(into, offset);
  }
  const size_t within = offset % kBlock;
  const size_t size = (within + into.size() + kBlock - 1) / kBlock * kBlock;
  Bytes blocks(size + kBlock);
  void* start = blocks.data();
  size_t space = blocks.size();
  std::align(kBlock, size, start, space);
  ssize_t got = pread(file_.get(), start, size, static_cast<off_t>(offset - within));
  const int error = errno;
  fcntl(file_.get(), F_SETFL, flags);
  if (got < 0 && error == EINVAL) {
    return read_cached(into, offset);
  }
  errno = error;
  if (got < 0) {
    return got;
  }
  const auto all = static_cast<size_t>(got);
  const size_t count = all > within ? std::min(all - within, into.size()) : 0;
  std::copy_n(static_cast<const std::byte*>(start) + within, count, into.begin());
  return static_cast<ssize_t>(count);
}

Result<void> StorageFile::write(uint64_t offset, ByteView bytes) {
  if (auto there = check_still_there(); !there) {
    return there;
  }
  while (!bytes.empty()) {
    ssize_t done = until_not_interrupted([&] {
      return pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (done <= 0) {
      errno = done < 0 ? errno : EIO;
      return failed_to("write to", path_);
    }
    bytes = bytes.subspan(static_cast<size_t>(done));
    offset += static_cast<uint64_t>(done);
  }
  return {};
}

Result<void> StorageFile::check_still_there() const {
  struct stat status {};
  if (fstat(file_.get(), &status) != 0) {
    return failed_to("examine", path_);
  }
  if (status.st_nlink == 0 && !is_our_descriptor(path_)) {
    return failure(Errc::io, path_ +
                                 " was removed or replaced while the TPM runs; nothing more "
                                 "is written. End the TPM before its state is changed");
  }
  return {};
}

Result<void> StorageFile::resize(uint64_t size) {
  if (until_not_interrupted([&] { return ftruncate(file_.get(), static_cast<off_t>(size)); }) !=
      0) {
    return failed_to("resize", path_);
  }
  return {};
}

// One that was made here has what its file system gives (vfat, say, takes no modes).
Result<void> StorageFile::close_to_others() {
  struct stat status {};
  if (fstat(file_.get(), &status) != 0) {
    return failed_to("examine", path_);
  }
  bool open_to_others = (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
  if (block_device_ || made_here_ || !open_to_others ||
      fchmod(file_.get(), S_IRUSR | S_IWUSR) == 0) {
    return {};
  }
  auto failed = failed_to("close to others", path_);
  failed.value().message +=
      ". No TPM is made in a file that others may open: chmod it to 600, or chown it to the user "
      "of the TPM";
  return failed;
}

Result<void> StorageFile::make_durable() {
  if (until_not_interrupted([&] { return fdatasync(file_.get()); }) != 0) {
    return failed_to("make durable what was written to", path_);
  }
  return {};
}

Result<void> StorageFile::lock() {
  constexpr int kMostTries = 8;
  for (int tries = 0; !locked_; ++tries) {
    auto locked = lock_this();
    if (!locked || has_its_name() || tries == kMostTries) {
      return locked;
    }
    auto renamed = open(path_, access_, CreateState::never);
    if (!renamed) {
      return failure(Errc::busy, path_ +
                                     " was replaced since it was opened, and what is there now "
                                     "cannot be used (" +
                                     renamed.error().message + "). Start the TPM anew");
    }
    *this = std::move(*renamed);
  }
  return {};
}

// Whoever opens that name now gets this file.
bool StorageFile::has_its_name() const {
  struct stat ours {};
  struct stat named {};
  return fstat(file_.get(), &ours) == 0 && stat(path_.c_str(), &named) == 0 &&
         (block_device_ ? S_ISBLK(named.st_mode) && ours.st_rdev == named.st_rdev
                        : ours.st_dev == named.st_dev && ours.st_ino == named.st_ino);
}

Result<void> StorageFile::lock_this() {
  struct flock whole_file {};
  whole_file.l_type = access_ == Access::read ? F_RDLCK : F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  if (fcntl(file_.get(), F_OFD_SETLK, &whole_file) != 0) {
    if (errno == EAGAIN || errno == EACCES) {
      return failure(Errc::busy, "the state in " + path_ + " is in use by another process (" +
                                     "fuser " + path_ + " names it); two TPMs cannot share one");
    }
    return cannot("lock", path_);
  }
  locked_ = true;
  if (auto claimed = claim(); !claimed) {
    unlock();
    return claimed;
  }
  return {};
}

// Of a block device, in the kernel: nobody else who asks for it alone (mount, mkfs, LVM) gets it.
Result<void> StorageFile::claim() {
  if (!block_device_) {
    return {};
  }
  auto claimed = open_trusted(path_, O_RDONLY | O_EXCL | O_NONBLOCK);
  if (!claimed && errno == EBUSY) {
    return failure(Errc::busy, path_ + " is in use by the system: mounted, or part of something");
  }
  if (!claimed) {
    return cannot("claim", path_);
  }
  struct stat ours {};
  struct stat named {};
  if (fstat(file_.get(), &ours) != 0 || fstat(claimed->fd.get(), &named) != 0 ||
      !S_ISBLK(named.st_mode) || ours.st_rdev != named.st_rdev) {
    return failure(Errc::busy, path_ + " leads to another device than when it was opened");
  }
  claim_ = std::move(claimed->fd);
  return {};
}

void StorageFile::unlock() {
  claim_.reset();
  struct flock whole_file {};
  whole_file.l_type = F_UNLCK;
  whole_file.l_whence = SEEK_SET;
  fcntl(file_.get(), F_OFD_SETLK, &whole_file);
  locked_ = false;
}

}  // namespace vtpm
