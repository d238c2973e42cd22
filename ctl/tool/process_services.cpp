#include "ctl/tool/process_services.h"

#include <signal.h>  // NOLINT: kill
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "ctl/tool/instances.h"
#include "ctl/tool/systemd_services.h"

namespace vtpm {

std::optional<pid_t> ProcessServices::process_of(const std::string& name) const {
  pid_t pid = 0;
  std::ifstream(paths_.pid_file_of(name)) >> pid;
  if (pid <= 0) {
    return std::nullopt;
  }
  std::string command;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), command);
  return command == "vtpmd" ? std::optional(pid) : std::nullopt;
}

Result<void> ProcessServices::start(const std::string& name) {
  if (process_of(name)) {
    return {};
  }
  std::error_code error;
  std::filesystem::create_directories(paths_.run, error);
  if (error) {
    return system_failure("cannot make " + paths_.run, error.value());
  }
  auto ran = run_({"vtpmd", "--name", name, "--daemon", "--pid-file", paths_.pid_file_of(name)});
  if (!ran) {
    return tl::unexpected(ran.error());
  }
  return ran->succeeded() ? Result<void>()
                          : failure(Errc::io, name + " did not start: " + ran->text());
}

Result<void> ProcessServices::stop(const std::string& name) {
  auto pid = process_of(name);
  if (pid && ::kill(*pid, SIGTERM) != 0 && errno != ESRCH) {
    return system_failure("cannot end the daemon of " + name, errno);
  }
  constexpr std::chrono::seconds kPatience{30};
  constexpr std::chrono::milliseconds kPause{20};
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (process_of(name)) {
    if (std::chrono::steady_clock::now() > deadline) {
      return failure(Errc::busy, "the daemon of " + name + ", process " + std::to_string(*pid) +
                                     ", has not ended within 30 seconds");
    }
    std::this_thread::sleep_for(kPause);
  }
  ::unlink(paths_.pid_file_of(name).c_str());
  forget_nodes(paths_, name);
  return {};
}

Result<void> ProcessServices::enable(const std::string& name) {
  std::error_code error;
  std::filesystem::create_directories(paths_.configuration + "/enabled", error);
  if (::symlink(("../" + name + ".toml").c_str(), link_of(name).c_str()) != 0 && errno != EEXIST) {
    return system_failure("cannot make " + link_of(name), errno);
  }
  return {};
}

Result<void> ProcessServices::disable(const std::string& name) {
  if (::unlink(link_of(name).c_str()) != 0 && errno != ENOENT) {
    return system_failure("cannot remove " + link_of(name), errno);
  }
  return {};
}

bool ProcessServices::is_enabled(const std::string& name) {
  struct stat status {};
  return ::lstat(link_of(name).c_str(), &status) == 0;
}

std::string ProcessServices::state(const std::string& name) {
  return process_of(name) ? "running" : "stopped";
}

std::string ProcessServices::last_words(const std::string& /*name*/) {
  return {};  // they are in the machine's system log
}

std::unique_ptr<Services> make_services(bool systemd, RunProgram run, InstancePaths paths) {
  if (systemd) {
    return std::make_unique<SystemdServices>(std::move(run));
  }
  return std::make_unique<ProcessServices>(std::move(run), std::move(paths));
}

}  // namespace vtpm
