// The rights of another user, for the files that are made and opened meanwhile.
//
// Root who works in somebody's directory leaves files of that somebody there, and can be led no
// further than that somebody can go. Ownership: root's rights come back with its end. Threads: the
// only one. Errors: of the system. Source: seteuid(2).
#pragma once

#include <grp.h>

#include <memory>
#include <vector>

#include "engine/base/result.h"

namespace vtpm {

class OwnersRights {
 public:
  // The owner of an open file. Does nothing where that is root, or the caller is not.
  static Result<std::unique_ptr<OwnersRights>> of(int fd);
  OwnersRights(const OwnersRights&) = delete;
  OwnersRights& operator=(const OwnersRights&) = delete;
  ~OwnersRights();

 private:
  OwnersRights() = default;

  bool acts_ = false;
  gid_t group_ = 0;
  std::vector<gid_t> groups_;
};

}  // namespace vtpm
