#include <algorithm>
#include <array>
#include <map>
#include <ostream>

#include "ctl/tool/instances.h"
#include "ctl/tool/response_codes.h"
#include "ctl/tool/tpm_view.h"
#include "ctl/tool/transfers.h"
#include "ctl/tool/verbs.h"

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

// The text in a field that should end with a NUL and may not.
template <size_t Size>
std::string text_in(const char (&field)[Size]) {  // NOLINT: the ABI has arrays
  return {field, std::find(field, field + Size, '\0')};
}

// One line of the list, and the same for programs.
struct Listed {
  std::vector<std::string> row;
  Report report;
};

Listed listed_error(const std::string& name, const Error& error) {
  Listed listed{{name, "-", "-", "-", "-", "-", error.message}, {}};
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
      report_of(*view, host)};
}

}  // namespace

namespace {

// Instances by their device: those of devices that are there, and the rest.
std::map<std::string, std::string> names_by_device(const Host& host) {
  std::map<std::string, std::string> names;
  for (const std::string& name : list_instances(host.instances)) {
    names.emplace(device_of(host.instances, name).value_or(name), name);
  }
  return names;
}

Listed stopped_instance(const std::string& name, const std::string& device, Host& host) {
  std::string state = host.services.state(name);
  Listed listed{{device, name, "-", state, "-", "-", "-", "-"}, {}};
  listed.report = report_of(view_of_instance(name, state, host), host);
  return listed;
}

}  // namespace

Result<void> list(const Arguments& arguments, Host& host) {
  std::vector<std::vector<std::string>> rows{
      {"DEVICE", "NAME", "TPM", "PHASE", "IN USE", "LOCKOUT", "PID", "STATE"}};
  std::vector<Report> reports;
  auto names = names_by_device(host);
  for (const std::string& device : list_devices(host.paths)) {
    Listed listed = ask_listed(device, host);
    auto named = names.find(device);
    listed.row.insert(listed.row.begin() + 1, named == names.end() ? "-" : named->second);
    names.erase(device);
    rows.push_back(std::move(listed.row));
    reports.push_back(std::move(listed.report));
  }
  for (const auto& [device, name] : names) {
    Listed listed = stopped_instance(name, device, host);
    rows.push_back(std::move(listed.row));
    reports.push_back(std::move(listed.report));
  }
  host.out << (arguments.json ? json_array(reports) : table(rows));
  return {};
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
