// Who may control a TPM: root, and whoever the daemon was told (--control-user, --control-group).
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <optional>

#include "cuse/node.h"

namespace vtpm {

struct ControlAccess {
  std::optional<uid_t> user;
  std::optional<gid_t> group;

  // By the credentials that the opener had at open time.
  [[nodiscard]] bool allows(const Opener& opener) const {
    if (opener.uid == 0 || opener.uid == user) {
      return true;
    }
    if (!group) {
      return false;
    }
    auto groups = opener.gid == *group ? std::vector{opener.gid} : opener.groups();
    return std::ranges::find(groups, *group) != groups.end();
  }
};

}  // namespace vtpm
