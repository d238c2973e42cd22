#include "ctl/tool/cli/commands.h"

#include <array>
#include <ostream>

#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/services/instances.h"

namespace vtpm {
namespace {

struct Row {
  Verb verb;
  verb::Function run;
};

constexpr auto kDeviceVerbs = std::to_array<Row>({
    {Verb::caps, verb::caps},
    {Verb::info, verb::info},
    {Verb::config, verb::config},
    {Verb::power_on, verb::power_on},
    {Verb::power_off, verb::power_off},
    {Verb::power_reset, verb::power_reset},
    {Verb::terminate, verb::terminate},
    {Verb::locality, verb::locality},
    {Verb::cancel, verb::cancel},
    {Verb::established, verb::established},
    {Verb::hash, verb::hash},
    {Verb::buffer_size, verb::buffer_size},
    {Verb::lock, verb::lock},
    {Verb::state_save, verb::state_save},
    {Verb::state_load, verb::state_load},
    {Verb::state_store_volatile, verb::state_store_volatile},
    {Verb::version, verb::version},
    {Verb::send, verb::send},
});

struct HostRow {
  Verb verb;
  verb::HostFunction run;
};

constexpr auto kHostVerbs = std::to_array<HostRow>({
    {Verb::list, verb::list},
    {Verb::status, verb::status},
    {Verb::create, verb::create},
    {Verb::start, verb::start},
    {Verb::stop, verb::stop},
    {Verb::restart, verb::restart},
    {Verb::enable, verb::enable},
    {Verb::disable, verb::disable},
    {Verb::destroy, verb::destroy},
    {Verb::spawn, verb::spawn},
    {Verb::uevent, verb::uevent},
    {Verb::reap, verb::reap},
    {Verb::forget, verb::forget},
    {Verb::state_inspect, verb::state_inspect},
    {Verb::state_import, verb::state_import},
    {Verb::state_export, verb::state_export},
    {Verb::state_rekey, verb::state_rekey},
    {Verb::state_backup, verb::state_backup},
    {Verb::state_restore, verb::state_restore},
});

Result<void> run_on_device(const Arguments& arguments, Host& host) {
  auto node = control_node(host.paths, arguments.device);
  if (!node) {
    return tl::unexpected(node.error());
  }
  auto ioctl = host.open(*node);
  if (!ioctl) {
    return tl::unexpected(ioctl.error());
  }
  DeviceClient device(arguments.device, *node, std::move(*ioctl));
  for (const Row& row : kDeviceVerbs) {
    if (row.verb == arguments.verb) {
      return row.run(arguments, device, host);
    }
  }
  return failure(Errc::unsupported, "no such verb");
}

Result<void> run_verb(const Arguments& arguments, Host& host) {
  for (const HostRow& row : kHostVerbs) {
    if (row.verb == arguments.verb) {
      return row.run(arguments, host);
    }
  }
  return run_on_device(arguments, host);
}

}  // namespace

int run_command(const Arguments& arguments, Host& host) {
  auto done = run_verb(arguments, host);
  host.out.flush();
  if (done && !host.out) {
    done = failure(Errc::io, "cannot write to standard output");
  }
  if (done) {
    return 0;
  }
  int status = verb::exit_status_of(arguments.verb, done.error());
  host.err << (arguments.json ? error_as_json(done.error(), status)
                              : "vtpmctl: " + done.error().message + "\n");
  return status;
}

int verb::exit_status_of(Verb verb, const Error& error) {
  constexpr int kFailed = 1;
  constexpr int kUsage = 2;
  constexpr int kUnusable = 3;
  if ((verb == Verb::start || verb == Verb::restart) && error.code == Errc::tpm) {
    return kUnusable;
  }
  return verb == Verb::create && error.code == Errc::invalid ? kUsage : kFailed;
}

void verb::warn(const Arguments& arguments, Host& host, const std::string& text) {
  Report report;
  host.err << (arguments.json ? report.add("warning", text).json() : "vtpmctl: " + text + "\n");
}

void verb::print(const Arguments& arguments, Host& host, const Report& report) {
  host.out << (arguments.json ? report.json() : report.text());
}

}  // namespace vtpm
