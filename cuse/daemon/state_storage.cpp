#include "cuse/daemon/state_storage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstdlib>
#include <filesystem>

#include "cuse/daemon/log.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/trusted_path.h"
#include "engine/state/file/file_store.h"
#include "engine/state/file/state_file_format.h"
#include "engine/state/late_store.h"
#include "engine/state/swtpm/dir_store.h"
#include "engine/tpm/libtpms_engine.h"

namespace vtpm {
namespace {

// Only root can put something else in the place of what is made there.
bool is_roots_alone(int directory) {
  struct stat status {};
  return fstat(directory, &status) == 0 && status.st_uid == 0 &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

FileDescriptor make_in(int parent, const char* name, StateFormat format) {
  if (format == StateFormat::file) {
    return FileDescriptor(openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                 S_IRUSR | S_IWUSR));
  }
  if (mkdirat(parent, name, S_IRWXU) != 0) {
    return {};
  }
  return FileDescriptor(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Does nothing where the user can do it, or where it is somebody else's matter.
Result<void> make_for(const RunAs& owner, const StateLocation& wanted) {
  std::filesystem::path absolute = std::filesystem::absolute(wanted.path).lexically_normal();
  if (!absolute.has_filename()) {
    absolute = absolute.parent_path();
  }
  auto opened = open_trusted(absolute.parent_path(), O_RDONLY | O_DIRECTORY);
  if (!opened || !is_roots_alone(opened->fd.get())) {
    return {};
  }
  const FileDescriptor parent = std::move(opened->fd);
  FileDescriptor made = make_in(parent.get(), absolute.filename().c_str(), wanted.format);
  if (!made && errno == EEXIST) {
    return {};
  }
  if (!made || fchown(made.get(), owner.user, owner.group) != 0 || fsync(parent.get()) != 0) {
    auto failed = system_failure("cannot make " + wanted.path + " for " + owner.name, errno);
    if (made) {  // the next try makes it, and its name, anew
      unlinkat(parent.get(), absolute.filename().c_str(),
               wanted.format == StateFormat::file ? 0 : AT_REMOVEDIR);
    }
    return failed;
  }
  return {};
}

Result<std::unique_ptr<StateStore>> open_file(const StateRequest& request, const StateKeys& keys) {
  FileStoreOptions options{.create = request.create,
                           .sync = request.sync,
                           .key = copy_of(keys.file),
                           .writer = libtpms_version_number(),
                           .tell = [](const std::string& text) { log::warning(text); }};
  return FileStore::open(request.location.path, std::move(options))
      .map([](std::unique_ptr<FileStore> store) {
        return std::unique_ptr<StateStore>(std::move(store));
      });
}

Result<std::unique_ptr<StateStore>> open_dir(const StateRequest& request, const StateKeys& keys) {
  return DirStore::open(request.location.path, request.create, request.sync,
                        SwtpmKey(keys.swtpm.view()))
      .map([](std::unique_ptr<DirStore> store) {
        return std::unique_ptr<StateStore>(std::move(store));
      });
}

Result<std::unique_ptr<StateStore>> open_now(const StateRequest& request, const StateKeys& keys) {
  return request.location.format == StateFormat::file ? open_file(request, keys)
                                                      : open_dir(request, keys);
}

std::filesystem::path directory_of(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().parent_path();
}

// The highest directory above it that the present user may not enter.
std::optional<std::string> closed_directory_above(const std::string& path) {
  std::filesystem::path above;
  for (const auto& name : directory_of(path)) {
    above /= name;
    if (faccessat(AT_FDCWD, above.c_str(), X_OK, AT_EACCESS) != 0 && errno == EACCES) {
      return above.string();
    }
  }
  return std::nullopt;
}

// Where it is, or where it would be made.
bool is_read_only_here(const std::string& path) {
  struct statvfs status {};
  bool there =
      statvfs(path.c_str(), &status) == 0 || statvfs(directory_of(path).c_str(), &status) == 0;
  return there && (status.f_flag & ST_RDONLY) != 0;
}

// Systemd's.
bool is_a_service() {
  return std::getenv("INVOCATION_ID") != nullptr;  // NOLINT: no thread yet
}

// Nobody makes room under a limit of this process, as somebody may on a full disk: it is told at
// once, before a file is made that could not be filled.
Result<void> check_limit_for_files(const StateLocation& location) {
  struct stat status {};
  rlimit limit{};
  bool device = ::stat(location.path.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
  bool fits = ::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= kStateFileSize;
  if (location.format != StateFormat::file || device || fits) {
    return {};
  }
  return failure(Errc::invalid, "the limit for the size of files (ulimit -f, LimitFSIZE=) is " +
                                    std::to_string(limit.rlim_cur) + " bytes; the state in " +
                                    location.path + " needs " + std::to_string(kStateFileSize));
}

}  // namespace

Result<std::unique_ptr<StateStore>> open_state(const StateRequest& request, const StateKeys& keys,
                                               const std::optional<RunAs>& run_as) {
  if (request.wait) {
    return std::make_unique<LateStore>([request, &keys] { return open_now(request, keys); },
                                       request.location.describe());
  }
  if (auto fits = check_limit_for_files(request.location); !fits) {
    return tl::unexpected(fits.error());
  }
  if (run_as && request.create == CreateState::if_missing) {
    if (auto made = make_for(*run_as, request.location); !made) {
      return tl::unexpected(made.error());
    }
  }
  auto acting = ActingAs::begin(run_as);
  if (!acting) {
    return tl::unexpected(acting.error());
  }
  return open_now(request, keys).map_error([&](Error error) {
    return explain_refusal(std::move(error), request.location, run_as);
  });
}

Result<void> make_directory_of(const StateLocation& location, const std::optional<RunAs>& run_as) {
  if (location.format != StateFormat::file) {
    return {};
  }
  std::filesystem::path directory = std::filesystem::absolute(location.path).parent_path();
  RunAs owner = run_as.value_or(RunAs{"root", geteuid(), getegid()});
  return make_for(owner, {StateFormat::dir, directory});
}

std::string reachable_path(const StateRequest& request) {
  std::filesystem::path path = std::filesystem::absolute(request.location.path);
  std::error_code ignored;
  if (request.wait && path.string().starts_with("/dev/")) {
    return "/dev";  // where names of disks lead, whatever directory they are in
  }
  if (request.wait) {
    do {
      path = path.parent_path();
    } while (!std::filesystem::is_directory(path, ignored) && path.has_relative_path());
  }
  return path;
}

Error explain_refusal(Error error, const StateLocation& location,
                      const std::optional<RunAs>& run_as) {
  auto closed = error.code == Errc::denied ? closed_directory_above(location.path) : std::nullopt;
  if (closed) {
    error.message += ". The directory " + *closed + " is closed to " +
                     (run_as ? run_as->name : std::string("root without capabilities")) +
                     ": let it in (chmod, chgrp), or keep the state elsewhere";
  } else if (is_read_only_here(location.path) && is_a_service()) {
    error.message +=
        ". What this service may write is said by its unit: `systemctl edit` it, and "
        "add [Service] ReadWritePaths=" +
        directory_of(location.path).string();
  } else if (error.code == Errc::denied && run_as) {
    error.message += ". The state has to belong to the user that --user names: chown -R " +
                     run_as->name + " the file or directory";
  } else if (error.code == Errc::denied && geteuid() == 0) {
    error.message +=
        ". vtpmd keeps no capabilities, so root too can use only what belongs to it: start it with "
        "--user and the owner of the state, or chown the state";
  }
  return error;
}

}  // namespace vtpm
