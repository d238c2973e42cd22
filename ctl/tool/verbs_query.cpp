#include <algorithm>
#include <array>
#include <optional>
#include <ostream>

#include "ctl/tool/instances.h"
#include "ctl/tool/tpm_view.h"
#include "ctl/tool/transfers.h"
#include "ctl/tool/verbs.h"
#include "engine/response_codes.h"

namespace vtpm::verb {
namespace {

struct CapabilityRow {
  uint64_t bit;
  const char* name;
};

constexpr auto kCapabilities = std::to_array<CapabilityRow>({
    {VTPM_CAP_INIT, "INIT"},
    {VTPM_CAP_SHUTDOWN, "SHUTDOWN"},
    {VTPM_CAP_GET_TPMESTABLISHED, "GET_TPMESTABLISHED"},
    {VTPM_CAP_SET_LOCALITY, "SET_LOCALITY"},
    {VTPM_CAP_HASHING, "HASHING"},
    {VTPM_CAP_CANCEL_TPM_CMD, "CANCEL_TPM_CMD"},
    {VTPM_CAP_STORE_VOLATILE, "STORE_VOLATILE"},
    {VTPM_CAP_RESET_TPMESTABLISHED, "RESET_TPMESTABLISHED"},
    {VTPM_CAP_GET_STATEBLOB, "GET_STATEBLOB"},
    {VTPM_CAP_SET_STATEBLOB, "SET_STATEBLOB"},
    {VTPM_CAP_STOP, "STOP"},
    {VTPM_CAP_GET_CONFIG, "GET_CONFIG"},
    {VTPM_CAP_SET_DATAFD, "SET_DATAFD"},
    {VTPM_CAP_SET_BUFFERSIZE, "SET_BUFFERSIZE"},
    {VTPM_CAP_GET_INFO, "GET_INFO"},
    {VTPM_CAP_SEND_COMMAND_HEADER, "SEND_COMMAND_HEADER"},
    {VTPM_CAP_LOCK_STORAGE, "LOCK_STORAGE"},
    {VTPM_CAP_EXECUTE, "EXECUTE"},
    {VTPM_CAP_GET_STATUS, "GET_STATUS"},
    {VTPM_CAP_SET_VERSION, "SET_VERSION"},
});

std::vector<std::string> capability_names(uint64_t mask) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < 64; ++i) {
    uint64_t bit = uint64_t{1} << i;
    if ((mask & bit) != 0) {
      const auto* row = std::ranges::find(kCapabilities, bit, &CapabilityRow::bit);
      names.push_back(row != kCapabilities.end() ? row->name : "bit " + std::to_string(i));
    }
  }
  return names;
}

bool has(const vtpm_status& status, uint32_t flag) {
  return (status.flags & flag) != 0;
}

// One line of the list, and the same for programs.
struct Listed {
  std::vector<std::string> row;
  Report report;
  std::optional<Error> failed;  // it could not be asked
};

Listed listed_error(const std::string& name, const Error& error) {
  Listed listed{{name, "-", "-", "-", "-", "-", error.message}, {}, error};
  listed.report.add("device", name).add("error", error.message);
  return listed;
}

Listed ask_listed(const std::string& name, Host& host) {
  auto node = control_node(host.paths, name);
  if (!node) {
    return listed_error(name, node.error());
  }
  auto ioctl = host.open(*node);
  if (!ioctl) {
    return listed_error(name, ioctl.error());
  }
  DeviceClient device(name, *node, std::move(*ioctl));
  auto view = view_of_running(device, host);
  if (!view) {
    return listed_error(name, view.error());
  }
  const vtpm_status& status = *view->status;
  bool in_use = has(status, VTPM_STATUS_IN_USE);
  return {
      {name, version_name(status.version), phase_words(status), in_use ? holder_words(*view) : "no",
       lockout_words(*view), std::to_string(status.pid), printable(text_in(status.state))},
      report_of(*view, host),
      std::nullopt};
}

}  // namespace

namespace {

struct Instance {
  std::string name;
  std::string device;
  std::string state;
};

// All, with one call of the services.
std::vector<Instance> instances_of(Host& host) {
  Names names = list_instances(host.instances);
  auto states = host.services.states(names);
  std::vector<Instance> instances;
  for (size_t i = 0; i < names.size(); ++i) {
    instances.push_back(
        {names[i], device_of(host.instances, names[i]).value_or("?"), states[i].state});
  }
  return instances;
}

// Whose device it is: of several that are configured with it, the one that runs.
std::vector<Instance>::iterator owner_of(const std::string& device,
                                         std::vector<Instance>& instances) {
  auto running = std::ranges::find_if(instances, [&](const Instance& instance) {
    return instance.device == device && instance.state == "running";
  });
  return running != instances.end() ? running
                                    : std::ranges::find(instances, device, &Instance::device);
}

Listed stopped_instance(const Instance& instance, Host& host) {
  const auto& [name, device, state] = instance;
  Listed listed{{device, name, "-", state, "-", "-", "-", "-"}, {}, std::nullopt};
  listed.report = report_of(view_of_instance(name, state, host), host);
  return listed;
}

// Who may not ask has seen no list; a TPM that does not answer is one that somebody looks after.
Result<void> told_of_failures(const std::vector<Listed>& all) {
  std::string devices;
  const Error* first = nullptr;
  for (const Listed& listed : all) {
    if (listed.failed) {
      devices += (devices.empty() ? "" : ", ") + listed.row.front();
      first = first == nullptr ? &*listed.failed : first;
    }
  }
  return first == nullptr
             ? Result<void>()
             : failure(first->code, "could not ask " + devices + ": " + first->message);
}

}  // namespace

Result<void> list(const Arguments& arguments, Host& host) {
  std::vector<Listed> all;
  auto instances = instances_of(host);
  for (const std::string& device : list_devices(host.paths)) {
    Listed listed = ask_listed(device, host);
    auto owner = owner_of(device, instances);
    listed.row.insert(listed.row.begin() + 1, owner == instances.end() ? "-" : owner->name);
    if (owner != instances.end()) {
      instances.erase(owner);
    }
    all.push_back(std::move(listed));
  }
  for (const Instance& instance : instances) {
    all.push_back(stopped_instance(instance, host));
  }
  std::vector<std::vector<std::string>> rows{
      {"DEVICE", "NAME", "TPM", "PHASE", "IN USE", "LOCKOUT", "PID", "STATE"}};
  std::vector<Report> reports;
  for (const Listed& listed : all) {
    rows.push_back(listed.row);
    reports.push_back(listed.report);
  }
  host.out << (arguments.json ? json_array(reports) : table(rows));
  return told_of_failures(all);
}

Result<void> status(const Arguments& arguments, DeviceClient& device, Host& host) {
  return view_of_running(device, host).map([&](TpmView view) {
    ask_service(view, host);
    print(arguments, host, report_of(view, host));
  });
}

Result<void> caps(const Arguments& arguments, DeviceClient& device, Host& host) {
  return device.call(request::get_capability).map([&](vtpm_capability mask) {
    std::vector<std::string> names = capability_names(mask);
    std::string lines;
    for (const std::string& name : names) {
      lines += (lines.empty() ? "" : "\n") + name;
    }
    Report report;
    report.add("mask", hex_number(mask)).add("requests", names, lines);
    print(arguments, host, report);
  });
}

Result<void> info(const Arguments& arguments, DeviceClient& device, Host& host) {
  return get_info(device)
      .and_then(arguments.json ? json_again : json_as_text)
      .map([&](const std::string& text) { host.out << text; });
}

Result<void> config(const Arguments& arguments, DeviceClient& device, Host& host) {
  return device.call(request::get_config).map([&](const vtpm_config& answer) {
    bool state_key = (answer.flags & VTPM_CONFIG_FLAG_FILE_KEY) != 0;
    bool migration_key = (answer.flags & VTPM_CONFIG_FLAG_MIGRATION_KEY) != 0;
    Report report;
    report
        .add("state_key", state_key,
             state_key ? "yes, the TPM's storage is encrypted" : "no, its storage is plain")
        .add("migration_key", migration_key,
             migration_key ? "yes, saved blobs are encrypted" : "no, saved blobs are plain");
    print(arguments, host, report);
  });
}

}  // namespace vtpm::verb
