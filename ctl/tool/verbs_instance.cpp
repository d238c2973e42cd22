#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <istream>
#include <ostream>
#include <thread>

#include "ctl/tool/instances.h"
#include "ctl/tool/tpm_view.h"
#include "ctl/tool/verbs.h"

namespace vtpm::verb {
namespace {

using OnService = Result<void> (Services::*)(const std::string&);

// A link by the instance's name, which udev makes once the node is there.
std::string link_of(const Host& host, const std::string& name) {
  return host.paths.dev + "/vtpm/by-name/" + name;
}

// Whoever starts an instance uses it next, by its name. Without udev there are no links.
void wait_for_link(const Host& host, const std::string& name) {
  constexpr std::chrono::seconds kPatience{10};
  constexpr std::chrono::milliseconds kPause{20};
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (host.udev && ::access(link_of(host, name).c_str(), F_OK) != 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      host.err << "vtpmctl: " << name << " is up, but udev has made no " << link_of(host, name)
               << "; are the rules of vtpm installed?\n";
      return;
    }
    std::this_thread::sleep_for(kPause);
  }
}

Result<void> on_service(const Arguments& arguments, Host& host, OnService what) {
  auto exists = check_instance_exists(host.instances, arguments.device);
  return exists ? (host.services.*what)(arguments.device) : exists;
}

Result<void> start_all(Host& host) {
  std::string failed;
  for (const std::string& name : list_instances(host.instances)) {
    if (!host.services.is_enabled(name)) {
      continue;
    }
    if (auto started = host.services.start(name); !started) {
      host.err << "vtpmctl: " << started.error().message << "\n";
      failed += " " + name;
    }
  }
  return failed.empty() ? Result<void>() : failure(Errc::io, "not started:" + failed);
}

bool confirmed(Host& host, const std::string& name, bool keep_state) {
  host.out << "Destroy the virtual TPM of " << name
           << (keep_state ? ", and keep its state" : " and all that it keeps, for good")
           << "? [y/N] " << std::flush;
  std::string answer;
  std::getline(host.in, answer);
  return answer == "y" || answer == "yes";
}

// A random UUID, which the kernel wants in front of a uevent's arguments.
Result<std::string> new_uuid() {
  std::array<char, 36> text{};
  int fd = ::open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);  // NOLINT
  bool read = fd >= 0 && ::read(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (fd >= 0) {
    ::close(fd);
  }
  return read ? Result<std::string>(std::string(text.data(), text.size()))
              : system_failure("cannot read a random UUID", errno);
}

// A state that is there already would be replaced.
Result<void> check_import(const Arguments& arguments, const Host& host) {
  bool elsewhere =
      std::ranges::any_of(arguments.options, [](const auto& o) { return o.first == "state"; });
  if (!arguments.from.empty() && elsewhere) {
    return failure(Errc::invalid,
                   "--from puts the state where vtpmctl keeps it; it cannot go with state=. To put "
                   "it elsewhere: vtpmctl state import, then create --state");
  }
  std::string state = host.instances.directory_of(arguments.device) + "/state";
  if (!arguments.from.empty() && ::access(state.c_str(), F_OK) == 0) {
    return failure(Errc::busy, "there is a state in " + state +
                                   " already; move it away, or create " + arguments.device +
                                   " without --from to go on with it");
  }
  return {};
}

}  // namespace

Result<void> create(const Arguments& arguments, Host& host) {
  NewInstance wanted{arguments.device, arguments.options};
  // The package makes this user; without it the daemons stay root's.
  constexpr const char* kUser = "vtpm";
  bool said = std::ranges::any_of(wanted.options, [](const auto& o) { return o.first == "user"; });
  if (!said && getpwnam(kUser) != nullptr) {  // NOLINT: one thread
    wanted.options.emplace_back("user", kUser);
  }
  if (auto possible = check_import(arguments, host); !possible) {
    return possible;
  }
  auto made = create_instance(wanted, host.instances, host.paths, host.run).and_then([&] {
    return arguments.from.empty() ? Result<void>() : import_into_instance(arguments, host);
  });
  if (made) {
    host.out << arguments.device << ": /dev/"
             << device_of(host.instances, arguments.device).value_or("?") << ", "
             << host.instances.configuration_of(arguments.device) << "\n";
  }
  return made;
}

Result<void> start(const Arguments& arguments, Host& host) {
  if (arguments.all) {
    return start_all(host);
  }
  auto started = on_service(arguments, host, &Services::start);
  if (started) {
    wait_for_link(host, arguments.device);
  }
  return started;
}

Result<void> stop(const Arguments& arguments, Host& host) {
  return on_service(arguments, host, &Services::stop);
}

Result<void> restart(const Arguments& arguments, Host& host) {
  auto stopped = stop(arguments, host);
  return stopped ? start(arguments, host) : stopped;
}

Result<void> enable(const Arguments& arguments, Host& host) {
  return on_service(arguments, host, &Services::enable);
}

Result<void> disable(const Arguments& arguments, Host& host) {
  return on_service(arguments, host, &Services::disable);
}

Result<void> destroy(const Arguments& arguments, Host& host) {
  const std::string& name = arguments.device;
  if (auto exists = check_instance_exists(host.instances, name); !exists) {
    return exists;
  }
  if (!arguments.yes && !confirmed(host, name, arguments.keep_state)) {
    return failure(Errc::denied, name + " was not destroyed");
  }
  if (auto stopped = host.services.stop(name); !stopped) {
    return stopped;
  }
  if (auto disabled = host.services.disable(name); !disabled) {
    return disabled;
  }
  return remove_instance(host.instances, name, arguments.keep_state);
}

Result<void> spawn(const Arguments& arguments, Host& host) {
  if (auto exists = check_instance_exists(host.instances, arguments.device); !exists) {
    return exists;
  }
  auto uuid = new_uuid();
  if (!uuid) {
    return tl::unexpected(uuid.error());
  }
  std::string event = "change " + *uuid + (arguments.remove ? " VTPMSTOP=" : " VTPMSTART=") +
                      encode_instance_name(arguments.device);
  int fd = ::open(host.cuse_uevent.c_str(), O_WRONLY | O_CLOEXEC);  // NOLINT
  bool written =
      fd >= 0 && ::write(fd, event.data(), event.size()) == static_cast<ssize_t>(event.size());
  int error = errno;
  if (fd >= 0) {
    ::close(fd);
  }
  if (!written) {
    auto failed = system_failure("cannot send an event through " + host.cuse_uevent, error);
    if (error == ENOENT) {
      failed.value().message += ". The kernel's cuse module makes it: run `modprobe cuse`";
    }
    return failed;
  }
  return {};
}

Result<void> uevent(const Arguments& arguments, Host& host) {
  auto name = decode_instance_name(arguments.device);
  if (!name) {
    return tl::unexpected(name.error());
  }
  if (auto exists = check_instance_exists(host.instances, *name); !exists) {
    return exists;
  }
  return arguments.remove ? host.services.stop_soon(*name) : host.services.start_soon(*name);
}

// For vtpm@.service, when its daemon has ended.
Result<void> forget(const Arguments& arguments, Host& host) {
  auto exists = check_instance_exists(host.instances, arguments.device);
  if (exists) {
    forget_nodes(host.instances, arguments.device);
  }
  return exists;
}

// KVM says that the machine of a process has gone; the TPMs that this process opened go with it.
Result<void> reap(const Arguments& arguments, Host& host) {
  for (const std::string& name : list_instances(host.instances)) {
    auto node = control_node(host.paths, device_of(host.instances, name).value_or(""));
    auto ioctl = node ? host.open(*node) : tl::unexpected(node.error());
    if (!ioctl) {
      continue;  // it does not run
    }
    auto status = DeviceClient(name, *node, std::move(*ioctl)).call(request::get_status);
    if (status && status->opener_pid == arguments.process) {
      if (auto stopped = host.services.stop_soon(name); !stopped) {
        return stopped;
      }
      host.out << name << "\n";
    }
  }
  return {};
}

Result<void> instance_status(const Arguments& arguments, Host& host) {
  TpmView view = view_of_instance(arguments.device, "", host);
  ask_service(view, host);
  print(arguments, host, report_of(view, host));
  return {};
}

}  // namespace vtpm::verb
