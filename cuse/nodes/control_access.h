// Who may control a TPM: root, and whoever the daemon was told (--control-user, --control-group);
// and who may only look (--status-group).
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <optional>

#include "ctl/door/node.h"
#include "cuse/nodes/host_root.h"

namespace vtpm {

struct ControlAccess {
  std::optional<uid_t> user = {};
  std::optional<gid_t> group = {};
  std::optional<gid_t> status_group = {};  // may look, through the control node
  bool on_raw_node = true;                 // false: nobody controls through the raw node
  // Asked of an opener with the number 0, which root of a container may have as well.
  bool (*is_root)(pid_t thread) = is_hosts_root;

  // By the credentials that the opener had at open time, while its open is not answered.
  [[nodiscard]] bool allows(const Opener& opener) const {
    return opener.uid == user || is_member(opener, group) ||
           (opener.uid == 0 && is_root(opener.pid));
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
