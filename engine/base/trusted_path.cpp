#include "engine/base/trusted_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "engine/base/inherited.h"

namespace vtpm {
namespace {

constexpr int kMostLinks = 40;  // as the kernel's

int open_at(int directory, const std::string& name, int flags, mode_t mode = 0) {
  int fd = openat(directory, name.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR) {
    fd = openat(directory, name.c_str(), flags | O_CLOEXEC, mode);
  }
  return fd;
}

bool is_link(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISLNK(status.st_mode);
}

bool is_ours_or_roots(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && (status.st_uid == 0 || status.st_uid == geteuid());
}

// How far a path names a descriptor: "/proc/self/fd/5" of "/proc/self/fd/5/name"; 0 if it does not.
size_t descriptor_part(const std::string& path) {
  size_t end = path.size();
  while (end != 0 && end != std::string::npos) {
    if (descriptor_of_path(path.substr(0, end))) {
      return end;
    }
    end = path.rfind('/', end - 1);
  }
  return 0;
}

// Name by name. Errors are told by errno, and by the link that was not followed.
class Walk {
 public:
  Walk(int flags, mode_t mode) : flags_(flags), mode_(mode) {}

  FileDescriptor open(const std::string& path) {
    FileDescriptor fd;
    go_to(path);
    while (going_on_) {
      fd = step();
    }
    return fd;
  }

  [[nodiscard]] bool by_link() const { return by_link_; }
  [[nodiscard]] const std::string& refused() const { return refused_; }

 private:
  // From here on, as a path that the process or a link names.
  void go_to(const std::string& path) {
    rest_ = path;
    if (size_t part = descriptor_part(path); part != 0) {
      whole_ = path.find_first_not_of('/', part) == std::string::npos ? path.substr(0, part) : "";
      rest_ = path.substr(part);
      at_.reset(open_at(AT_FDCWD, path.substr(0, part), O_PATH));
    } else if (path.starts_with('/')) {
      at_.reset(open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    } else if (!at_) {
      at_.reset(open_at(AT_FDCWD, ".", O_PATH | O_DIRECTORY));
    }
    if (path.empty()) {
      errno = ENOENT;
    }
    going_on_ = at_ && !path.empty();
  }

  FileDescriptor step() {
    if (!whole_.empty()) {
      going_on_ = false;
      return FileDescriptor(open_at(AT_FDCWD, whole_, flags_ & ~O_NOFOLLOW, mode_));
    }
    rest_.erase(0, rest_.find_first_not_of('/'));
    size_t slash = rest_.find('/');
    std::string name = rest_.empty() ? "." : rest_.substr(0, slash);
    std::string behind = slash == std::string::npos ? "" : rest_.substr(slash);
    if (behind.find_first_not_of('/') == std::string::npos) {
      return open_last(name, behind);
    }
    // O_DIRECTORY: what is mounted there on demand is mounted.
    FileDescriptor next(open_at(at_.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    if (!next && errno == ENOTDIR) {
      next.reset(open_at(at_.get(), name, O_PATH | O_NOFOLLOW));
    }
    if (!next) {
      going_on_ = false;
    } else if (is_link(next.get())) {
      follow(next.get(), name, behind);
    } else {
      at_ = std::move(next);
      rest_ = behind;
    }
    return {};
  }

  FileDescriptor open_last(const std::string& name, const std::string& behind) {
    int directory = behind.empty() ? 0 : O_DIRECTORY;
    FileDescriptor fd(open_at(at_.get(), name, flags_ | O_NOFOLLOW | directory, mode_));
    int error = errno;
    bool may_be_link = fd ? (flags_ & O_PATH) != 0 : error == ELOOP || error == ENOTDIR;
    bool follows = (flags_ & O_NOFOLLOW) == 0;
    if (may_be_link && follows) {
      FileDescriptor link(open_at(at_.get(), name, O_PATH | O_NOFOLLOW));
      if (link && is_link(link.get())) {
        by_link_ = true;
        follow(link.get(), name, behind);
        return {};
      }
    }
    going_on_ = false;
    errno = error;
    return fd;
  }

  void follow(int link, const std::string& name, const std::string& behind) {
    std::array<char, PATH_MAX> target{};
    going_on_ = false;
    if (!is_ours_or_roots(link) || !is_ours_or_roots(at_.get())) {
      refused_ = name;
      errno = ELOOP;
      return;
    }
    ssize_t size = ++links_ > kMostLinks ? -1 : readlinkat(link, "", target.data(), target.size());
    if (size < 0 || static_cast<size_t>(size) == target.size()) {
      errno = links_ > kMostLinks ? ELOOP : (size < 0 ? errno : ENAMETOOLONG);
      return;
    }
    go_to(std::string(target.data(), static_cast<size_t>(size)) + behind);
  }

  const int flags_;
  const mode_t mode_;
  FileDescriptor at_;
  std::string rest_;
  std::string whole_;  // a descriptor's path without anything below it
  std::string refused_;
  int links_ = 0;
  bool by_link_ = false;
  bool going_on_ = false;
};

}  // namespace

Result<TrustedFile> open_trusted(const std::string& path, int flags, mode_t mode) {
  Walk walk(flags, mode);
  FileDescriptor fd = walk.open(path);
  if (fd) {
    return TrustedFile{std::move(fd), walk.by_link()};
  }
  const int error = errno;
  auto failed = walk.refused().empty()
                    ? system_failure("cannot open " + path, error)
                    : failure(Errc::invalid,
                              "cannot open " + path + ": the symbolic link " + walk.refused() +
                                  " in it, or the directory that holds it, belongs to neither root "
                                  "nor the user who runs this, so it is not followed. Name what "
                                  "it leads to");
  errno = error;
  return failed;
}

}  // namespace vtpm
