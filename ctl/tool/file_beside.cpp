#include "ctl/tool/file_beside.h"

#include <fcntl.h>
#include <stdlib.h>  // NOLINT: mkostemp
#include <sys/stat.h>

#include <cstdio>

namespace vtpm {

bool is_there(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

FileBeside::FileBeside(const std::string& target)
    : path_(target + ".XXXXXX"), fd_(::mkostemp(path_.data(), O_CLOEXEC)) {}

FileBeside::~FileBeside() {
  if (fd_ && !renamed_) {
    ::unlink(path_.c_str());
  }
}

bool FileBeside::give_to_owner_of(const std::string& target) {
  struct stat status {};
  return ::stat(target.c_str(), &status) == 0 &&
         (::geteuid() != 0 || ::fchown(fd_.get(), status.st_uid, status.st_gid) == 0);
}

bool FileBeside::become(const std::string& target) {
  renamed_ = ::renameat(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str()) == 0;
  return renamed_;
}

}  // namespace vtpm
