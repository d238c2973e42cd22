#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <istream>
#include <iterator>
#include <ostream>

#include "ctl/tool/cli/open_device.h"
#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/device/holder.h"
#include "ctl/tool/device/path_watch.h"
#include "ctl/tool/services/instances.h"

namespace vtpm::verb {
namespace {

using OnServices = Results (Services::*)(const Names&);

struct Outcome {
  std::string name;
  Result<void> result;
  std::string warning{};  // empty: none
};
using Outcomes = std::vector<Outcome>;

// A link by the instance's name, which udev makes once the node is there.
std::string link_of(const Host& host, const std::string& name) {
  return host.paths.dev + "/vtpm/by-name/" + name;
}

// Whoever starts an instance uses it next, by its name. Without udev there are no links.
void wait_for_links(Outcomes& outcomes, const Host& host) {
  constexpr std::chrono::seconds kPatience{10};
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (auto& [name, result, warning] : outcomes) {
    std::string link = link_of(host, name);
    if (host.udev && result && !wait_for_path(link, deadline)) {
      warning.append(name)
          .append(" is up, but udev has made no ")
          .append(link)
          .append("; are the rules of vtpm installed?");
    }
  }
}

// Which instances --all means.
struct All {
  bool (*fits)(const ServiceState&);
  const char* if_none;  // what is said where there is none
};

// Those of the command line, or all that --all means.
Names chosen(const Arguments& arguments, Host& host, const All& meant) {
  if (!arguments.all) {
    return arguments.names;
  }
  Names all = list_instances(host.instances);
  auto states = host.services.states(all);
  Names names;
  for (size_t i = 0; i < all.size(); ++i) {
    if (meant.fits(states[i])) {
      names.push_back(all[i]);
    }
  }
  if (names.empty()) {
    warn(arguments, host,
         all.empty() ? "this host keeps no virtual TPM; vtpmctl create makes one" : meant.if_none);
  }
  return names;
}

bool is_enabled(const ServiceState& state) {
  return state.enabled;
}

bool is_up(const ServiceState& state) {
  return state.state != "stopped" && state.state != "failed";
}

bool is_any(const ServiceState&) {
  return true;
}

Result<void> check_may_stop(const std::string& name, Host& host) {
  auto device = open_device(name, host);
  return device ? check_not_held(*device) : Result<void>();
}

// Its daemon may run, and its TPM be of no use.
Result<void> check_usable(const std::string& name, Host& host) {
  auto device = open_device(name, host);
  auto status = device ? device->call(request::get_status) : tl::unexpected(device.error());
  if (!status || status->phase != VTPM_PHASE_FAILED) {
    return {};
  }
  std::string reason = text_in(status->reason);
  return failure(Errc::tpm, name + " is there, but its TPM cannot be used: " + printable(reason));
}

// One call of the services for all that `check` lets through.
Outcomes on_each(const Names& names, Host& host, OnServices what,
                 Result<void> (*check)(const std::string&, Host&) = nullptr) {
  Outcomes outcomes;
  Names rest;
  for (const std::string& name : names) {
    auto fit = check_instance_exists(host.instances, name);
    fit = fit && check != nullptr ? check(name, host) : fit;
    outcomes.push_back({name, fit, {}});
    if (fit) {
      rest.push_back(name);
    }
  }
  Results results = (host.services.*what)(rest);
  auto result = results.begin();
  for (Outcome& outcome : outcomes) {
    if (outcome.result) {
      outcome.result = std::move(*result++);
    }
  }
  return outcomes;
}

Report report_of(const Outcome& outcome, Verb verb) {
  Report report;
  report.add("name", outcome.name).add("ok", outcome.result.has_value(), "");
  if (!outcome.warning.empty()) {
    report.add("warning", outcome.warning);
  }
  return outcome.result ? report.add("exit_status", uint64_t{0})
                        : add_error(report, outcome.result.error(),
                                    exit_status_of(verb, outcome.result.error()));
}

void print_objects(const Outcomes& outcomes, Verb verb, Host& host) {
  std::vector<Report> reports;
  std::ranges::transform(outcomes, std::back_inserter(reports),
                         [&](const Outcome& outcome) { return report_of(outcome, verb); });
  host.out << json_array(reports);
}

void print_lines(const Outcomes& outcomes, Host& host, const std::string& done) {
  for (const auto& [name, result, warning] : outcomes) {
    if (result) {
      host.out << name << ": " << done << "\n";
    } else {
      host.err << "vtpmctl: " << result.error().message << "\n";
    }
  }
}

// The failures of all as one.
Result<void> failure_of(const Outcomes& outcomes, const std::string& done) {
  std::string failed;
  bool unusable = true;
  for (const auto& [name, result, warning] : outcomes) {
    failed += result ? "" : " " + name;
    unusable = unusable && (result || result.error().code == Errc::tpm);
  }
  return failed.empty() ? Result<void>()
                        : failure(unusable ? Errc::tpm : Errc::io, "not " + done + ":" + failed);
}

// Of several a line or an object for each; of one what went wrong alone.
Result<void> tell(const Outcomes& outcomes, const Arguments& arguments, Host& host,
                  const std::string& done) {
  if (arguments.json && (arguments.all || outcomes.size() > 1)) {
    print_objects(outcomes, arguments.verb, host);
    return failure_of(outcomes, done);
  }
  for (const Outcome& outcome : outcomes) {
    if (!outcome.warning.empty()) {
      warn(arguments, host, outcome.warning);
    }
  }
  if (outcomes.size() == 1) {
    return outcomes.front().result;
  }
  print_lines(outcomes, host, done);
  return failure_of(outcomes, done);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): changed below
Result<void> tell_started(Outcomes outcomes, const Arguments& arguments, Host& host,
                          const std::string& done) {
  wait_for_links(outcomes, host);
  for (auto& [name, result, warning] : outcomes) {
    result = result ? check_usable(name, host) : result;
  }
  return tell(outcomes, arguments, host, done);
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
  All all{is_enabled,
          "no virtual TPM is enabled, and none was started; vtpmctl enable NAME, or "
          "vtpmctl start NAME for one that is not"};
  Names names = chosen(arguments, host, all);
  return tell_started(on_each(names, host, &Services::start), arguments, host, "started");
}

Result<void> stop(const Arguments& arguments, Host& host) {
  Names names = chosen(arguments, host, {is_up, "no virtual TPM runs, and none was stopped"});
  auto check = arguments.force ? nullptr : check_may_stop;
  return tell(on_each(names, host, &Services::stop, check), arguments, host, "stopped");
}

Result<void> restart(const Arguments& arguments, Host& host) {
  Names names = chosen(arguments, host, {is_up, "no virtual TPM runs, and none was restarted"});
  auto check = arguments.force ? nullptr : check_may_stop;
  return tell_started(on_each(names, host, &Services::restart, check), arguments, host,
                      "restarted");
}

Result<void> enable(const Arguments& arguments, Host& host) {
  Names names = chosen(arguments, host, {is_any, ""});
  return tell(on_each(names, host, &Services::enable), arguments, host, "enabled");
}

Result<void> disable(const Arguments& arguments, Host& host) {
  Names names = chosen(arguments, host, {is_any, ""});
  return tell(on_each(names, host, &Services::disable), arguments, host, "disabled");
}

Result<void> destroy(const Arguments& arguments, Host& host) {
  const std::string& name = arguments.device;
  if (auto exists = check_instance_exists(host.instances, name); !exists) {
    return exists;
  }
  // All that may refuse comes before anything is stopped.
  auto possible = check_removable(host.instances, name, arguments.keep_state).and_then([&] {
    return arguments.force ? Result<void>() : check_may_stop(name, host);
  });
  if (!possible) {
    return possible;
  }
  if (!arguments.yes && !confirmed(host, name, arguments.keep_state)) {
    return failure(Errc::denied, name + " was not destroyed");
  }
  if (auto retired = host.services.retire(name); !retired) {
    return retired;
  }
  return remove_instance(host.instances, name, arguments.keep_state);
}

Result<void> spawn(const Arguments& arguments, Host& host) {
  if (auto exists = check_instance_exists(host.instances, arguments.device); !exists) {
    return exists;
  }
  if (!host.udev) {
    return failure(Errc::unsupported, "udev does not run here, and nobody else would start " +
                                          arguments.device + " for the event: say vtpmctl start " +
                                          arguments.device);
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
// One that cannot be asked keeps no other from that, and is no failure: it may be anybody's.
Result<void> reap(const Arguments& arguments, Host& host) {
  Outcomes outcomes;
  Outcomes stopped;
  for (const std::string& name : list_instances(host.instances)) {
    auto device = open_device(name, host);
    auto status = device ? device->call(request::get_status) : tl::unexpected(device.error());
    if (!status && status.error().code != Errc::not_found) {
      outcomes.push_back({name, tl::unexpected(status.error())});
    }
    if (status && status->opener_pid == arguments.process) {
      stopped.push_back({name, host.services.stop_soon(name)});
      outcomes.push_back(stopped.back());
    }
  }
  if (arguments.json) {
    print_objects(outcomes, arguments.verb, host);
    return failure_of(stopped, "stopped");
  }
  for (const auto& [name, result, warning] : outcomes) {
    if (result) {
      host.out << name << "\n";
    } else {
      warn(arguments, host, result.error().message);
    }
  }
  return failure_of(stopped, "stopped");
}

}  // namespace vtpm::verb
