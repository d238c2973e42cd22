// Who the daemon is to the kernel: user, groups, capabilities.
//
// Threads: all of this before the first thread; capabilities are each thread's own. Errors: denied
// or io, with the step that failed. Source: credentials(7), capabilities(7), prctl(2).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"

namespace vtpm {

// The user that --user names.
struct RunAs {
  std::string name;  // for messages
  uid_t user;
  gid_t group;
};

// While one lives, the process opens and makes files as it will do for the rest of its life: as
// that user (if there is one), without supplementary groups, without capabilities. So what it
// makes belongs to that user, and what it may not use it is refused now. No protection: the
// privileges come back with the object's end, so nothing that was written by others may be
// interpreted meanwhile.
class ActingAs {
 public:
  // `run_as`: nothing for the present user.
  static Result<ActingAs> begin(const std::optional<RunAs>& run_as);
  ActingAs(ActingAs&& other) noexcept;
  ActingAs& operator=(ActingAs&&) = delete;
  ~ActingAs();

 private:
  ActingAs(bool switched, std::vector<gid_t> groups, uint64_t capabilities)
      : switched_(switched), groups_(std::move(groups)), capabilities_(capabilities) {}

  bool switched_;
  std::vector<gid_t> groups_;
  uint64_t capabilities_;  // effective before; bit N is capability N
  bool over_ = false;
};

// For good: that user and its group alone (if there is one), no capabilities in any set (the
// bounding set needs CAP_SETPCAP and is left alone without it), no new privileges by execve, not
// dumpable.
Result<void> drop_privileges(const std::optional<RunAs>& run_as);

}  // namespace vtpm
