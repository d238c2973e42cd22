#include "ctl/tool/states/owners_rights.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace vtpm {

Result<std::unique_ptr<OwnersRights>> OwnersRights::of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return system_failure("cannot examine a directory", errno);
  }
  std::unique_ptr<OwnersRights> acting(new OwnersRights);
  if (::geteuid() != 0 || status.st_uid == 0) {
    return acting;
  }
  int count = ::getgroups(0, nullptr);
  acting->groups_.resize(count < 0 ? 0 : static_cast<size_t>(count));
  acting->group_ = ::getegid();
  if (::getgroups(count, acting->groups_.data()) != count) {
    return system_failure("cannot find the own groups", errno);
  }
  acting->acts_ = true;
  if (::setgroups(0, nullptr) != 0 || ::setegid(status.st_gid) != 0 ||
      ::seteuid(status.st_uid) != 0) {
    return system_failure("cannot act as the owner of a directory", errno);
  }
  return acting;
}

OwnersRights::~OwnersRights() {
  bool back = !acts_ || (::seteuid(0) == 0 && ::setegid(group_) == 0 &&
                         ::setgroups(groups_.size(), groups_.data()) == 0);
  if (!back) {
    std::abort();  // going on with another's rights would be worse
  }
}

}  // namespace vtpm
