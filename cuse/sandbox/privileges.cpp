#include "cuse/sandbox/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace vtpm {
namespace {

struct CapabilitySets {
  uint64_t effective = 0;
  uint64_t permitted = 0;
  uint64_t inheritable = 0;
};

constexpr unsigned kHalf = 32;  // the kernel takes each set in two halves

CapabilitySets capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> halves{};
  syscall(SYS_capget, &header, halves.data());  // cannot fail for the calling thread
  auto join = [&](auto member) {
    return static_cast<uint64_t>(halves[0].*member) | static_cast<uint64_t>(halves[1].*member)
                                                          << kHalf;
  };
  return {join(&__user_cap_data_struct::effective), join(&__user_cap_data_struct::permitted),
          join(&__user_cap_data_struct::inheritable)};
}

bool set_capabilities(const CapabilitySets& sets) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> halves{};
  auto split = [&](uint64_t set, uint32_t __user_cap_data_struct::*member) {
    halves[0].*member = static_cast<uint32_t>(set);
    halves[1].*member = static_cast<uint32_t>(set >> kHalf);
  };
  split(sets.effective, &__user_cap_data_struct::effective);
  split(sets.permitted, &__user_cap_data_struct::permitted);
  split(sets.inheritable, &__user_cap_data_struct::inheritable);
  return syscall(SYS_capset, &header, halves.data()) == 0;
}

bool set_effective(uint64_t effective) {
  CapabilitySets sets = capabilities();
  sets.effective = effective;
  return set_capabilities(sets);
}

// Up to the first number that this kernel does not know.
void drop_bounding_set() {
  for (unsigned capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
}

bool is_already(const RunAs& who) {
  return geteuid() == who.user && getuid() == who.user && getegid() == who.group;
}

tl::unexpected<Error> cannot_become(const RunAs& who, int error_number) {
  auto failed = system_failure("cannot become the user " + who.name + " (--user)", error_number);
  if (error_number == EPERM) {
    failed.value().message += ". Only root can: start vtpmd as root, or without --user";
  }
  return failed;
}

Result<void> become(const RunAs& who) {
  if (setgroups(0, nullptr) != 0 || setresgid(who.group, who.group, who.group) != 0 ||
      setresuid(who.user, who.user, who.user) != 0) {
    return cannot_become(who, errno);
  }
  if (who.user != 0 && setresuid(0, 0, 0) == 0) {
    return failure(Errc::io, "root's privileges came back after they were dropped");
  }
  return {};
}

}  // namespace

Result<ActingAs> ActingAs::begin(const std::optional<RunAs>& run_as) {
  bool switched = run_as && !is_already(*run_as);
  std::vector<gid_t> groups;
  uint64_t effective = capabilities().effective;
  if (switched) {
    int count = getgroups(0, nullptr);
    groups.resize(count > 0 ? static_cast<size_t>(count) : 0);
    static_cast<void>(!getgroups(count, groups.data()));
    ActingAs acting(true, std::move(groups), effective);  // undoes what was done, if all is not
    if (setgroups(0, nullptr) != 0 || setegid(run_as->group) != 0 || seteuid(run_as->user) != 0) {
      return cannot_become(*run_as, errno);
    }
    set_effective(0);  // for --user 0: another user has none by now
    return acting;
  }
  if (!set_effective(0)) {
    return system_failure("cannot put capabilities aside", errno);
  }
  return ActingAs(false, {}, effective);
}

ActingAs::ActingAs(ActingAs&& other) noexcept
    : switched_(other.switched_),
      groups_(std::move(other.groups_)),
      capabilities_(other.capabilities_),
      over_(std::exchange(other.over_, true)) {}

ActingAs::~ActingAs() {
  if (over_) {
    return;
  }
  if (switched_) {
    // The real and the saved user are the old ones still; whoever needs more than came back is
    // refused by the kernel and says so.
    static_cast<void>(!seteuid(getuid()));
    set_effective(capabilities_);
    static_cast<void>(!setegid(getgid()));
    static_cast<void>(!setgroups(groups_.size(), groups_.data()));
  }
  set_effective(capabilities_);
}

Result<void> drop_privileges(const std::optional<RunAs>& run_as) {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  drop_bounding_set();
  if (run_as && !is_already(*run_as)) {
    if (auto became = become(*run_as); !became) {
      return became;
    }
  }
  if (!set_capabilities({})) {
    return system_failure("cannot drop capabilities", errno);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return system_failure("cannot renounce new privileges", errno);
  }
  return {};
}

}  // namespace vtpm
