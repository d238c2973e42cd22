#include "cuse/state_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "engine/file_descriptor.h"

namespace vtpm {
namespace {

// Only root can put something else in the place of what is made there.
bool is_roots_alone(int directory) {
  struct stat status {};
  return fstat(directory, &status) == 0 && status.st_uid == 0 &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// Does nothing where the user can do it, or where it is somebody else's matter.
Result<void> make_for(const RunAs& owner, const std::string& path) {
  std::filesystem::path absolute = std::filesystem::absolute(path).lexically_normal();
  if (!absolute.has_filename()) {
    absolute = absolute.parent_path();
  }
  FileDescriptor parent(
      ::open(absolute.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // NOLINT
  std::string name = absolute.filename();
  if (!parent || !is_roots_alone(parent.get()) ||
      mkdirat(parent.get(), name.c_str(), S_IRWXU) != 0) {
    return {};
  }
  FileDescriptor made(
      openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made || fchown(made.get(), owner.user, owner.group) != 0 || fsync(parent.get()) != 0) {
    return system_failure("cannot make the state directory " + path + " for " + owner.name, errno);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<DirStore>> open_state_directory(const std::string& path, CreateState create,
                                                       const std::optional<RunAs>& run_as) {
  if (run_as && create == CreateState::if_missing) {
    if (auto made = make_for(*run_as, path); !made) {
      return tl::unexpected(made.error());
    }
  }
  auto acting = ActingAs::begin(run_as);
  if (!acting) {
    return tl::unexpected(acting.error());
  }
  return DirStore::open(path, create).map_error([&](Error error) {
    return explain_refusal(std::move(error), run_as);
  });
}

Error explain_refusal(Error error, const std::optional<RunAs>& run_as) {
  if (error.code == Errc::denied && run_as) {
    error.message += ". The state has to belong to the user that --user names: chown -R " +
                     run_as->name + " the state directory";
  } else if (error.code == Errc::denied && geteuid() == 0) {
    error.message +=
        ". vtpmd keeps no capabilities, so root too can use only what belongs to it: start it with "
        "--user and the owner of the state, or chown the state";
  }
  return error;
}

}  // namespace vtpm
