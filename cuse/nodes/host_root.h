// Whether an opener with the user number 0 is root of the system that the daemon runs on, or root
// of a container: the kernel tells a CUSE daemon no more than the number, which is 0 for both when
// the container has no user namespace, or one that maps 0 to 0.
//
// Root it is who has CAP_SYS_ADMIN, in the daemon's own user namespace, and in its pid namespace or
// one above. /proc tells that: capabilities, the mapping of user numbers and the depth of pid
// namespaces are readable by everyone, unlike /proc/PID/ns. What cannot be read counts as no.
//
// No race: the kernel does not let an opener go before its open is answered, so its thread's number
// stays its own. Not known: a user namespace that maps every number to itself.
// Threads: any, in the sandbox too. Source: proc(5), user_namespaces(7). Decision: 0016.
#pragma once

#include <sys/types.h>

#include <string>

namespace vtpm {

// What /proc says of a thread: its files status and uid_map.
struct ThreadStanding {
  std::string status;
  std::string user_map;
};

// `daemon`: the daemon's own.
[[nodiscard]] bool is_root_beside(const ThreadStanding& opener, const ThreadStanding& daemon);

// `thread`: of an open that is not answered yet.
[[nodiscard]] bool is_hosts_root(pid_t thread);

// Whether /proc shows processes of other users here. Without that (hidepid) nobody is root.
[[nodiscard]] bool can_recognise_root();

}  // namespace vtpm
