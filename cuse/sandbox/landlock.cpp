#include "cuse/sandbox/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstdint>

#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

// What the kernel's header may be too old to say. Each kind of access is known from some version of
// the interface on, and a kernel refuses kinds that it does not know.
constexpr uint64_t kAccessOfVersion1 = (uint64_t{1} << 13) - 1;
constexpr uint64_t kRefer = uint64_t{1} << 13;     // version 2
constexpr uint64_t kTruncate = uint64_t{1} << 14;  // version 3
constexpr uint64_t kIoctlDev = uint64_t{1} << 15;  // version 5
constexpr uint64_t kAllNetwork = 3;                // version 4: bind and connect by TCP
constexpr uint64_t kAllScopes = 3;                 // version 6: abstract sockets, signals

constexpr uint64_t kFileAccess =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr uint64_t kStateAccess = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                  LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                  LANDLOCK_ACCESS_FS_MAKE_REG | kTruncate;

// struct landlock_ruleset_attr as of version 6; an older kernel takes its longer tail if it is 0.
struct Ruleset {
  uint64_t access;
  uint64_t network;
  uint64_t scopes;
};

Ruleset everything_known_to(long version) {
  Ruleset rules{kAccessOfVersion1, 0, 0};
  rules.access |= version >= 2 ? kRefer : 0;
  rules.access |= version >= 3 ? kTruncate : 0;
  rules.network = version >= 4 ? kAllNetwork : 0;
  rules.access |= version >= 5 ? kIoctlDev : 0;
  rules.scopes = version >= 6 ? kAllScopes : 0;
  return rules;
}

// Of a file, what does not concern directories.
uint64_t possible_on(int fd, uint64_t access) {
  struct stat status {};
  bool directory = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
  return directory ? access : access & kFileAccess;
}

Result<void> allow(const FileDescriptor& ruleset, const std::string& path, uint64_t access) {
  FileDescriptor beneath(::open(path.c_str(), O_PATH | O_CLOEXEC));  // NOLINT
  landlock_path_beneath_attr rule{};
  rule.allowed_access = possible_on(beneath.get(), access);
  rule.parent_fd = beneath.get();
  if (!beneath ||
      syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return system_failure("Landlock cannot allow " + path, errno);
  }
  return {};
}

}  // namespace

Result<FilesRestricted> restrict_files(const std::string& state) {
  long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) {
    return FilesRestricted::not_in_this_kernel;
  }
  Ruleset rules = everything_known_to(version);
  FileDescriptor ruleset(
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0)));
  if (!ruleset) {
    return system_failure("Landlock", errno);
  }
  auto allowed = allow(ruleset, state, kStateAccess & rules.access);
  for (const char* path : {"/proc", "/dev/urandom"}) {
    if (allowed) {
      allowed = allow(ruleset, path, LANDLOCK_ACCESS_FS_READ_FILE);
    }
  }
  if (!allowed) {
    return tl::unexpected(allowed.error());
  }
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return system_failure("Landlock", errno);
  }
  return FilesRestricted::yes;
}

}  // namespace vtpm
