#include "ctl/tool/states/file_beside.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "engine/base/trusted_path.h"

namespace vtpm {
namespace {

// A process that is killed here would leave the other name behind.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t held;
    sigemptyset(&held);
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
      sigaddset(&held, signal);
    }
    pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() {
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }

 private:
  sigset_t before_{};
};

bool has_no_unnamed_files(int error) {
  return error == EOPNOTSUPP || error == EISDIR || error == EINVAL || error == ENOENT;
}

// Of a process that was killed; nobody's if nobody has a lock on it.
void remove_leftover(int directory, const std::string& name) {
  FileDescriptor fd(
      openat(directory, name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0));
  struct flock whole_file {};
  whole_file.l_type = F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  if (fd && fcntl(fd.get(), F_OFD_SETLK, &whole_file) == 0) {
    unlinkat(directory, name.c_str(), 0);
  }
}

}  // namespace

bool is_there(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string path_of(const FileDescriptor& fd) {
  return "/proc/self/fd/" + std::to_string(fd.get());
}

Error called(Error error, const std::string& found, const std::string& name) {
  size_t at = error.message.find(found);
  while (at != std::string::npos) {
    size_t end = at + found.size();
    bool longer =
        end < error.message.size() && error.message[end] >= '0' && error.message[end] <= '9';
    if (!longer) {
      error.message.replace(at, found.size(), name);
      end = at + name.size();
    }
    at = error.message.find(found, end);
  }
  return error;
}

Result<FilePlace> FilePlace::open(const std::string& path) {
  size_t slash = path.rfind('/');
  std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty()) {
    return failure(Errc::invalid, "'" + path + "' names no file");
  }
  auto opened = open_trusted(directory, O_PATH | O_DIRECTORY);
  if (!opened) {
    auto failed = opened.error().code == Errc::invalid
                      ? tl::unexpected(opened.error())
                      : system_failure("cannot open the directory of " + path, errno);
    if (errno == ENOENT) {
      failed.value().message += ". Make or mount it first";
    }
    return failed;
  }
  return FilePlace(std::move(opened->fd), std::move(name));
}

FileBeside::FileBeside(const FilePlace& place)
    : place_(place),
      partial_("." + place.name() + ".vtpm-partial"),
      fd_(openat(place.directory(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR)) {
  if (!fd_ && has_no_unnamed_files(errno)) {
    make_named();
  }
}

FileBeside::~FileBeside() {
  if (partial_is_there_) {
    unlinkat(place_.directory(), partial_.c_str(), 0);
  }
}

bool FileBeside::make_named() {
  remove_leftover(place_.directory(), partial_);
  fd_.reset(openat(place_.directory(), partial_.c_str(),
                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  partial_is_there_ = static_cast<bool>(fd_);
  partial_is_taken_ = !fd_ && errno == EEXIST;
  return partial_is_there_;
}

bool FileBeside::give_to(const FileOwner& owner) {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) {
    return false;
  }
  bool theirs = status.st_uid == owner.user && status.st_gid == owner.group;
  return theirs || ::geteuid() != 0 || ::fchown(fd_.get(), owner.user, owner.group) == 0;
}

bool FileBeside::link_as(const std::string& name) {
  return ::linkat(AT_FDCWD, path().c_str(), place_.directory(), name.c_str(), AT_SYMLINK_FOLLOW) ==
         0;
}

bool FileBeside::give_name(Over over) {
  const char* name = place_.name().c_str();
  if (over == Over::nothing) {
    if (!partial_is_there_) {
      return link_as(place_.name());
    }
    partial_is_there_ = ::renameat2(place_.directory(), partial_.c_str(), place_.directory(), name,
                                    RENAME_NOREPLACE) != 0;
    return !partial_is_there_;
  }
  if (!partial_is_there_) {
    remove_leftover(place_.directory(), partial_);
    partial_is_there_ = link_as(partial_);
    partial_is_taken_ = !partial_is_there_ && errno == EEXIST;
  }
  bool renamed = partial_is_there_ &&
                 ::renameat(place_.directory(), partial_.c_str(), place_.directory(), name) == 0;
  partial_is_there_ = partial_is_there_ && !renamed;
  return renamed;
}

bool FileBeside::has_its_name() const {
  struct stat ours {};
  struct stat named {};
  return ::fstat(fd_.get(), &ours) == 0 &&
         ::fstatat(place_.directory(), place_.name().c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

bool FileBeside::become(Over over) {
  SignalsHeld held;
  if (!give_name(over)) {
    return false;
  }
  errno = ESTALE;
  return has_its_name();
}

tl::unexpected<Error> cannot_write_beside(const FileBeside& beside, const std::string& what,
                                          const std::string& path) {
  if (beside.in_the_way().empty()) {
    return system_failure(what + path, errno);
  }
  std::string partial = path.substr(0, path.rfind('/') + 1) + beside.in_the_way();
  return failure(Errc::busy, "cannot write " + path + ": " + partial +
                                 " is in the way. It is a link, a directory, or a file that "
                                 "somebody uses; remove it, and try again");
}

}  // namespace vtpm
