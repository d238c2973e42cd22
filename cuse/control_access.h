// Who may control a TPM: root, and whoever the daemon was told (--control-user, --control-group);
// and who may only look (--status-group).
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <optional>

#include "cuse/node.h"

namespace vtpm {

class ControlAccess {
 public:
  std::optional<uid_t> user;
  std::optional<gid_t> group;
  std::optional<gid_t> status_group;

  // By the credentials that the opener had at open time.
  [[nodiscard]] bool allows(const Opener& opener) const {
    if (opener.uid == 0 || opener.uid == user) {
      return true;
    }
    return is_member(opener, group);
  }

  [[nodiscard]] bool lets_look(const Opener& opener) const {
    return is_member(opener, status_group);
  }

 private:
  static bool is_member(const Opener& opener, std::optional<gid_t> group) {
    if (!group) {
      return false;
    }
    auto groups = opener.gid == *group ? std::vector{opener.gid} : opener.groups();
    return std::ranges::find(groups, *group) != groups.end();
  }
};

}  // namespace vtpm
