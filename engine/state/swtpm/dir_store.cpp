#include "engine/state/swtpm/dir_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include "engine/base/trusted_path.h"
#include "engine/state/swtpm/swtpm_blob.h"

namespace vtpm {
namespace {

constexpr const char* kLockFile = ".lock";
constexpr size_t kLargestFile = size_t{1} << 20;  // several times libtpms' whole NV memory

std::string temporary_name(const std::string& file) {
  return "TMP" + file.substr(std::string_view("tpm").size());
}

// Of a file that is there nothing may be not_found: a new TPM would be made in its place.
Result<Bytes> read_all(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    return io_failure("cannot examine it", errno);
  }
  if (!S_ISREG(status.st_mode) || static_cast<size_t>(status.st_size) > kLargestFile) {
    return failure(Errc::corrupt, "not a regular file of at most 1 MiB");
  }
  Bytes content(static_cast<size_t>(status.st_size));
  size_t done = 0;
  while (done < content.size()) {
    ssize_t got = read(fd, content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return io_failure("cannot read it", got < 0 ? errno : EIO);
    }
    done += static_cast<size_t>(got);
  }
  return content;
}

Result<void> write_all(int fd, ByteView content) {
  while (!content.empty()) {
    ssize_t done = write(fd, content.data(), content.size());
    if (done < 0 && errno == EINTR) {
      continue;
    }
    if (done <= 0) {
      return system_failure("cannot write", done < 0 ? errno : EIO);
    }
    content = content.subspan(static_cast<size_t>(done));
  }
  return {};
}

tl::unexpected<Error> about(const std::string& subject, const Error& error) {
  return failure(error.code, subject + ": " + error.message, error.tpm_result);
}

// Makes a new directory durable; without this a power cut could take it and all that is in it.
Result<void> sync_parent(int parent, const std::string& path) {
  FileDescriptor readable(openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  if (!readable || fsync(readable.get()) != 0) {
    return system_failure("cannot make the new directory " + path + " durable", errno);
  }
  return {};
}

// With errno. A missing parent may be a file system that is not mounted: nothing is put in its
// place.
tl::unexpected<Error> cannot_make(const std::string& path) {
  std::string remedy = errno == ENOENT ? ". Make or mount the directory that it is in first" : "";
  Error error = system_failure("cannot make the state directory " + path, errno).value();
  return failure(error.code, error.message + remedy);
}

Result<void> make_directory(const std::string& path) {
  const size_t end = path.find_last_not_of('/') + 1;
  const size_t begin = path.substr(0, end).rfind('/') + 1;  // 0 where there is none
  const std::string name = path.substr(begin, end - begin);
  auto parent = open_trusted(begin == 0 ? "." : path.substr(0, begin), O_PATH | O_DIRECTORY);
  if (!parent) {
    return parent.error().code == Errc::invalid ? tl::unexpected(parent.error())
                                                : cannot_make(path);
  }
  if (mkdirat(parent->fd.get(), name.c_str(), S_IRWXU) != 0) {
    return errno == EEXIST ? Result<void>() : cannot_make(path);
  }
  auto durable = sync_parent(parent->fd.get(), path);
  if (!durable) {
    unlinkat(parent->fd.get(), name.c_str(), AT_REMOVEDIR);  // the next try makes it anew
  }
  return durable;
}

// Who holds the lock, as far as can be known: the holder writes its number into the file.
std::string holder(int lock_fd) {
  std::array<char, 16> text{};
  ssize_t got = pread(lock_fd, text.data(), text.size() - 1, 0);
  std::string pid(text.data(), got > 0 ? static_cast<size_t>(got) : 0);
  pid.erase(pid.find_last_not_of('\n') + 1);
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

std::string swtpm_file_name(BlobName name) {
  std::string prefix = name.version == TpmVersion::tpm20 ? "tpm2-00." : "tpm-00.";
  switch (name.kind) {
    case BlobKind::permanent:
      return prefix + "permall";
    case BlobKind::volatile_state:
      return prefix + "volatilestate";
    case BlobKind::savestate:
      return prefix + "savestate";
  }
  return {};
}

Result<std::unique_ptr<DirStore>> DirStore::open(const std::string& path, CreateState create,
                                                 Sync sync, SwtpmKey key) {
  if (create == CreateState::if_missing) {
    if (auto made = make_directory(path); !made) {
      return tl::unexpected(made.error());
    }
  }
  auto directory = open_trusted(path, O_RDONLY | O_DIRECTORY);
  if (!directory) {
    return directory.error().code == Errc::invalid
               ? tl::unexpected(directory.error())
               : system_failure("cannot open the state directory " + path, errno);
  }
  return std::unique_ptr<DirStore>(
      new DirStore(path, std::move(directory->fd), sync, std::move(key)));
}

DirStore::DirStore(std::string path, FileDescriptor directory, Sync sync, SwtpmKey key)
    : path_(std::move(path)), directory_(std::move(directory)), sync_(sync), key_(std::move(key)) {}

Result<Bytes> DirStore::load(BlobName name) {
  std::string file = swtpm_file_name(name);
  // O_NONBLOCK: a FIFO of that name is refused below instead of waited for.
  FileDescriptor fd(
      openat(directory_.get(), file.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    std::string what = "cannot open " + in_directory(file);
    bool missing_or_denied = errno == ENOENT || errno == EACCES || errno == EPERM;
    return missing_or_denied ? system_failure(what, errno) : io_failure(what, errno);
  }
  auto content = read_all(fd.get());
  if (!content) {
    return about(in_directory(file), content.error());
  }
  auto data = unwrap_swtpm_blob(*content, key());
  if (!data) {
    return about(in_directory(file), data.error());
  }
  return data;
}

Result<void> DirStore::store(BlobName name, ByteView blob) {
  std::string file = swtpm_file_name(name);
  auto content = wrap_swtpm_blob(blob, key());
  if (!content) {
    return about(in_directory(file), content.error());
  }
  auto written = write_durably(file, *content);
  if (!written) {
    // Space is what is missing most often: leave nothing half-written behind.
    unlinkat(directory_.get(), temporary_name(file).c_str(), 0);
    return about(in_directory(file), written.error());
  }
  return {};
}

Result<void> DirStore::write_durably(const std::string& file, ByteView content) {
  std::string temporary = temporary_name(file);
  // A leftover of a process that was killed in the middle; we hold the lock, so it is nobody's.
  unlinkat(directory_.get(), temporary.c_str(), 0);
  FileDescriptor fd(openat(directory_.get(), temporary.c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           S_IRUSR | S_IWUSR));
  if (!fd) {
    return system_failure("cannot create " + temporary, errno);
  }
  if (auto written = write_all(fd.get(), content); !written) {
    return written;
  }
  if (auto durable = make_durable(fd.get(), temporary); !durable) {
    return durable;
  }
  if (renameat(directory_.get(), temporary.c_str(), directory_.get(), file.c_str()) != 0) {
    return system_failure("cannot rename " + temporary, errno);
  }
  return make_names_durable();
}

Result<void> DirStore::remove(BlobName name) {
  std::string file = swtpm_file_name(name);
  if (unlinkat(directory_.get(), file.c_str(), 0) == 0) {
    return make_names_durable();
  }
  if (errno == ENOENT) {
    return names_sure_ ? Result<void>() : make_absence_durable(file);
  }
  return system_failure("cannot remove " + in_directory(file), errno);
}

Result<void> DirStore::make_names_durable() {
  auto durable = make_durable(directory_.get(), "the directory");
  names_sure_ = durable.has_value();
  return durable;
}

// It may have been removed by a call whose fsync failed: the kernel takes the directory for written
// then, and writes it again only when it changes.
Result<void> DirStore::make_absence_durable(const std::string& file) {
  std::string temporary = temporary_name(file);
  unlinkat(directory_.get(), temporary.c_str(), 0);
  FileDescriptor made(openat(directory_.get(), temporary.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             S_IRUSR | S_IWUSR));
  if (!made || unlinkat(directory_.get(), temporary.c_str(), 0) != 0) {
    return system_failure("cannot make durable that there is no " + in_directory(file), errno);
  }
  return make_names_durable();
}

Result<void> DirStore::make_durable(int fd, const std::string& what) {
  if (sync_ == Sync::full && fsync(fd) != 0) {
    return system_failure("cannot make " + what + " durable", errno);
  }
  return {};
}

Result<void> DirStore::lock() {
  if (lock_) {
    return {};
  }
  FileDescriptor fd(openat(directory_.get(), kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                           S_IRUSR | S_IWUSR));
  if (!fd) {
    return system_failure("cannot open " + in_directory(kLockFile), errno);
  }
  // A second name of some other file is not written to.
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) {
    return failure(Errc::invalid, in_directory(kLockFile) + " is no file of its own");
  }
  struct flock whole_file {};
  whole_file.l_type = F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  if (fcntl(fd.get(), F_OFD_SETLK, &whole_file) != 0) {
    if (errno == EAGAIN || errno == EACCES) {
      return failure(Errc::busy, "the state in " + path_ + " is in use by " + holder(fd.get()) +
                                     "; two TPMs cannot share one state");
    }
    return system_failure("cannot lock " + in_directory(kLockFile), errno);
  }
  // The number is only a help for people; the lock is what counts.
  std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd.get(), 0) == 0) {
    static_cast<void>(write_all(fd.get(), as_bytes(pid)));
  }
  lock_ = std::move(fd);
  names_sure_ = false;  // somebody else may have changed them
  return {};
}

void DirStore::unlock() {
  lock_.reset();
}

std::string DirStore::in_directory(const std::string& file) const {
  return path_ + "/" + file;
}

}  // namespace vtpm
