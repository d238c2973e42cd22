#include "ctl/tool/services/process_services.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // NOLINT: SIGTERM
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ctl/tool/device/process_handle.h"
#include "ctl/tool/services/instances.h"
#include "ctl/tool/services/systemd_services.h"

namespace vtpm {
namespace {

struct ReadPid {
  pid_t pid = 0;  // 0: none
  struct stat status {};
};

ReadPid read_pid_file(const std::string& path) {
  ReadPid found;
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  std::array<char, 16> text{};
  if (!file || ::fstat(file.get(), &found.status) != 0 || !S_ISREG(found.status.st_mode)) {
    return found;
  }
  ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got > 0) {
    std::from_chars(text.data(), text.data() + got, found.pid);
  }
  return found;
}

// The words that a process was started with.
std::vector<std::string> words_of(const std::string& process) {
  std::ifstream file(process + "/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) {
    words.push_back(word);
  }
  return words;
}

bool is_vtpmd(const std::string& process) {
  std::error_code error;
  std::string program = std::filesystem::read_symlink(process + "/exe", error).filename();
  return program == "vtpmd" || program == "vtpmd (deleted)";  // by an upgrade
}

// As vtpmd reads its options: --name NAME or --name=NAME, before a word "--" that ends them.
bool was_started_as(const std::string& process, const std::string& name) {
  constexpr std::string_view kOption = "--name";
  auto words = words_of(process);
  for (auto word = words.begin(); word != words.end() && *word != "--"; ++word) {
    auto next = std::next(word);
    if ((*word == kOption && next != words.end() && *next == name) ||
        *word == std::string(kOption) + "=" + name) {
      return true;
    }
  }
  return false;
}

// Nobody else can have written it.
bool is_believable(const struct stat& file, const std::string& process) {
  struct stat of_process {};
  bool closed = (file.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  bool owned = file.st_uid == 0 ||
               (::stat(process.c_str(), &of_process) == 0 && of_process.st_uid == file.st_uid) ||
               file.st_uid == ::geteuid();
  return closed && owned;
}

template <class One>
Results for_each_name(const Names& names, One one) {
  Results results;
  std::ranges::transform(names, std::back_inserter(results), one);
  return results;
}

}  // namespace

Result<std::optional<ProcessServices::Daemon>> ProcessServices::daemon_of(
    const std::string& name) const {
  std::string path = paths_.pid_file_of(name);
  ReadPid file = read_pid_file(path);
  std::string process = proc_ + "/" + std::to_string(file.pid);
  // Before its properties are looked at: what they say is then of this process and no other.
  FileDescriptor handle = file.pid > 0 ? open_process(file.pid) : FileDescriptor();
  if (!handle || !is_vtpmd(process)) {
    return std::nullopt;
  }
  if (!was_started_as(process, name) || !is_believable(file.status, process)) {
    return failure(
        Errc::denied,
        "the pid file " + path + " names process " + std::to_string(file.pid) + ", a vtpmd that " +
            (was_started_as(process, name) ? "others than root or its user could have written there"
                                           : "was not started as " + name) +
            "; nothing was done. `pgrep -af vtpmd` shows the daemons: "
            "remove the file once that of " +
            name + " has ended");
  }
  return Daemon{file.pid, std::move(handle)};
}

Results ProcessServices::start(const Names& names) {
  return for_each_name(names, [this](const std::string& name) { return start_one(name); });
}

Results ProcessServices::stop(const Names& names) {
  return for_each_name(names, [this](const std::string& name) { return stop_one(name); });
}

Results ProcessServices::restart(const Names& names) {
  return for_each_name(names, [this](const std::string& name) {
    return stop_one(name).and_then([&] { return start_one(name); });
  });
}

Results ProcessServices::enable(const Names& names) {
  return for_each_name(names, [this](const std::string& name) { return enable_one(name); });
}

Results ProcessServices::disable(const Names& names) {
  return for_each_name(names, [this](const std::string& name) { return disable_one(name); });
}

Result<void> ProcessServices::retire(const std::string& name) {
  return stop_one(name).and_then([&] { return disable_one(name); });
}

std::vector<ServiceState> ProcessServices::states(const Names& names) {
  std::vector<ServiceState> states;
  for (const std::string& name : names) {
    auto daemon = daemon_of(name);
    states.push_back({daemon ? *daemon ? "running" : "stopped" : "unknown", is_enabled(name)});
  }
  return states;
}

Result<void> ProcessServices::start_one(const std::string& name) {
  auto daemon = daemon_of(name);
  if (!daemon || *daemon) {
    return daemon ? Result<void>() : tl::unexpected(daemon.error());
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
  constexpr int kUnusable = 3;
  if (ran->status == kUnusable) {
    return failure(Errc::tpm, name + " is there, but its TPM cannot be used: " + ran->reason());
  }
  return ran->succeeded() ? Result<void>()
                          : failure(Errc::io, name + " did not start: " + ran->reason());
}

Result<void> ProcessServices::stop_one(const std::string& name) {
  constexpr std::chrono::milliseconds kPatience{30000};
  auto daemon = daemon_of(name);
  if (!daemon) {
    return tl::unexpected(daemon.error());
  }
  if (*daemon) {
    if (signal_process((*daemon)->process, SIGTERM) != 0 && errno != ESRCH) {
      return system_failure("cannot end the daemon of " + name, errno);
    }
    pollfd poller{.fd = (*daemon)->process.get(), .events = POLLIN, .revents = 0};
    if (::poll(&poller, 1, kPatience.count()) != 1) {
      std::string pid = std::to_string((*daemon)->pid);
      return failure(Errc::busy, "the daemon of " + name + ", process " + pid +
                                     ", has not ended within 30 seconds; kill -KILL " + pid +
                                     " ends it without an orderly shutdown of its TPM");
    }
  }
  ::unlink(paths_.pid_file_of(name).c_str());
  forget_nodes(paths_, name);
  return {};
}

Result<void> ProcessServices::enable_one(const std::string& name) {
  std::error_code error;
  std::filesystem::create_directories(paths_.configuration + "/enabled", error);
  if (::symlink(("../" + name + ".toml").c_str(), link_of(name).c_str()) != 0 && errno != EEXIST) {
    return system_failure("cannot make " + link_of(name), errno);
  }
  return {};
}

Result<void> ProcessServices::disable_one(const std::string& name) {
  if (::unlink(link_of(name).c_str()) != 0 && errno != ENOENT) {
    return system_failure("cannot remove " + link_of(name), errno);
  }
  return {};
}

bool ProcessServices::is_enabled(const std::string& name) const {
  struct stat status {};
  return ::lstat(link_of(name).c_str(), &status) == 0;
}

std::string ProcessServices::last_words(const std::string& /*name*/, const std::string& /*run*/) {
  return {};  // they are in the machine's system log
}

std::unique_ptr<Services> make_services(bool systemd, RunProgram run, InstancePaths paths) {
  if (systemd) {
    return std::make_unique<SystemdServices>(std::move(run));
  }
  return std::make_unique<ProcessServices>(std::move(run), std::move(paths));
}

}  // namespace vtpm
