#include "ctl/tool/services/instances.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <thread>

#include "ctl/config/configured.h"
#include "ctl/config/settings.h"
#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

Result<void> make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return system_failure("cannot make " + path, errno);
  }
  return {};
}

// Held while an instance is made. In a file that nobody else can open, and so nobody else lock.
// Nothing tells when such a lock is free but a call that waits for it without an end, which only a
// signal would cut off; so it is tried again after a short pause.
Result<FileDescriptor> lock_instances(const InstancePaths& paths,
                                      std::chrono::milliseconds patience) {
  constexpr mode_t kMode = 0600;
  constexpr std::chrono::milliseconds kPause{20};
  std::string path = paths.run + "/instances.lock";
  FileDescriptor file(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kMode));  // NOLINT
  if (!file) {
    return system_failure("cannot open " + path, errno);
  }
  auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return system_failure("cannot lock " + path, errno);
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return failure(Errc::busy,
                     "another vtpmctl has been making an instance for a long time; "
                     "fuser " +
                         path + " tells which process that is");
    }
    std::this_thread::sleep_for(kPause);
  }
  return file;
}

// Where instances are kept, and the lock.
Result<FileDescriptor> prepare(const InstancePaths& paths, std::chrono::milliseconds patience) {
  constexpr mode_t kListed = 0755;
  constexpr mode_t kPassable = 0711;
  auto lock = make_directory(paths.configuration, kListed)
                  .and_then([&] { return make_directory(paths.state, kPassable); })
                  .and_then([&] { return make_directory(paths.run, kListed); })
                  .and_then([&] { return lock_instances(paths, patience); });
  if (!lock && lock.error().code == Errc::denied) {
    return failure(Errc::denied,
                   lock.error().message + ". Run vtpmctl as root to make an instance");
  }
  return lock;
}

std::string free_device(const InstancePaths& paths, const DevicePaths& devices) {
  std::set<std::string> taken;
  for (const std::string& device : list_devices(devices)) {
    taken.insert(device);
  }
  for (const std::string& name : list_instances(paths)) {
    taken.insert(device_of(paths, name).value_or(""));
  }
  unsigned index = 0;
  while (taken.contains("vtpm" + std::to_string(index))) {
    ++index;
  }
  return "vtpm" + std::to_string(index);
}

std::string configuration_text(const NewInstance& wanted, const std::string& device) {
  std::string text = "# The virtual TPM of " + wanted.name +
                     ". One key for each option of vtpmd: man vtpmd.\n" +
                     setting_line("device", device) + setting_line("create", "never");
  for (const auto& [key, value] : wanted.options) {
    if (key != "device") {
      text += setting_line(key, value);
    }
  }
  return text;
}

Result<void> write_new_file(const std::string& path, const std::string& text) {
  constexpr mode_t kMode = 0644;
  FileDescriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kMode));  // NOLINT
  if (!file) {
    return system_failure("cannot write " + path, errno);
  }
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0) {
    int error = errno;
    ::unlink(path.c_str());
    return system_failure("cannot write " + path, error);
  }
  return {};
}

Result<void> ask_vtpmd(const std::string& name, const char* task, const RunProgram& run) {
  auto ran = run({"vtpmd", "--name", name, task});
  if (!ran) {
    return tl::unexpected(ran.error());
  }
  constexpr int kUsage = 2;
  return ran->succeeded()
             ? Result<void>()
             : failure(ran->status == kUsage ? Errc::invalid : Errc::io,
                       "cannot create " + name + ": vtpmd " + task + ": " + ran->reason());
}

}  // namespace

Result<void> create_instance(const NewInstance& wanted, const InstancePaths& paths,
                             const DevicePaths& devices, const RunProgram& run,
                             std::chrono::milliseconds patience) {
  if (auto valid = check_instance_name(wanted.name); !valid) {
    return valid;
  }
  auto lock = prepare(paths, patience);
  if (!lock) {
    return tl::unexpected(lock.error());
  }
  if (instance_exists(paths, wanted.name)) {
    return failure(Errc::busy, "there is a virtual TPM called " + wanted.name +
                                   " already; vtpmctl destroy removes it");
  }
  auto said =
      std::ranges::find(wanted.options, "device", &std::pair<std::string, std::string>::first);
  bool chosen = said != wanted.options.end() && said->second != "auto";
  std::string device = chosen ? said->second : free_device(paths, devices);
  if (auto unclaimed = check_device_unclaimed(paths, wanted.name, device); !unclaimed) {
    return unclaimed;
  }
  std::string file = paths.configuration_of(wanted.name);
  auto done = write_new_file(file, configuration_text(wanted, device))
                  .and_then([&] { return ask_vtpmd(wanted.name, "--check", run); })
                  .and_then([&] { return ask_vtpmd(wanted.name, "--make-state", run); });
  if (!done) {
    ::unlink(file.c_str());
  }
  return done;
}

std::vector<std::string> list_instances(const InstancePaths& paths) {
  return configured_instances(paths);
}

bool instance_exists(const InstancePaths& paths, const std::string& name) {
  return check_instance_name(name) && ::access(paths.configuration_of(name).c_str(), F_OK) == 0;
}

Result<void> check_instance_exists(const InstancePaths& paths, const std::string& name) {
  if (auto valid = check_instance_name(name); !valid) {
    return valid;
  }
  return instance_exists(paths, name)
             ? Result<void>()
             : failure(Errc::not_found, "there is no virtual TPM called " + name +
                                            "; vtpmctl list shows those that are there, vtpmctl "
                                            "create makes one");
}

std::optional<std::string> device_of(const InstancePaths& paths, const std::string& name) {
  return configured_device(paths, name);
}

std::optional<std::string> instance_called(const std::string& asked, const InstancePaths& paths,
                                           const DevicePaths& devices) {
  if (instance_exists(paths, asked)) {
    return asked;
  }
  auto device = raw_device(devices, asked);
  auto all = device ? list_instances(paths) : std::vector<std::string>();
  auto found = std::ranges::find_if(
      all, [&](const std::string& name) { return device_of(paths, name) == device; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

void forget_nodes(const InstancePaths& paths, const std::string& name) {
  constexpr std::string_view kPrefix = "vtpm";
  std::string device = device_of(paths, name).value_or("");
  if (device.starts_with(kPrefix)) {
    for (const char* prefix : {"vtpm", "vtpmrm", "vtpmctl"}) {
      ::unlink(paths.properties_of(prefix + device.substr(kPrefix.size())).c_str());
    }
  }
}

Result<void> check_removable(const InstancePaths& paths, const std::string& name, bool keep_state) {
  if (::access(paths.configuration.c_str(), W_OK) != 0) {
    return system_failure("cannot remove " + paths.configuration_of(name), errno);
  }
  if (keep_state) {
    return {};
  }
  auto settings = read_settings(paths.configuration_of(name));
  if (!settings) {
    return failure(settings.error().code, settings.error().message +
                                              ". So nobody knows where the state of " + name +
                                              " is; mend that, or say --keep-state");
  }
  if (auto elsewhere = value_of(*settings, "state")) {
    return failure(Errc::invalid, "the state of " + name + " is in " + *elsewhere +
                                      ", which vtpmctl did not make; say --keep-state, and remove "
                                      "it yourself");
  }
  return {};
}

Result<void> remove_instance(const InstancePaths& paths, const std::string& name, bool keep_state) {
  if (auto removable = check_removable(paths, name, keep_state); !removable) {
    return removable;
  }
  std::error_code error;
  if (!keep_state) {
    std::filesystem::remove_all(paths.directory_of(name), error);
    if (error) {
      return system_failure("cannot remove " + paths.directory_of(name), error.value());
    }
  }
  if (::unlink(paths.configuration_of(name).c_str()) != 0) {
    return system_failure("cannot remove " + paths.configuration_of(name), errno);
  }
  ::unlink(paths.last_backup_of(name).c_str());
  return {};
}

}  // namespace vtpm
