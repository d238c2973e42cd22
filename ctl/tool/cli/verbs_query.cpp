#include <algorithm>
#include <array>
#include <iterator>
#include <ostream>

#include "ctl/tool/cli/overview.h"
#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/device/transfers.h"
#include "engine/command/response_codes.h"

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

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : printable(text);
}

// One line of the list.
std::vector<std::string> row_of(const Seen& seen) {
  std::string device = or_dash(seen.device);
  std::string name = or_dash(seen.name);
  if (!seen.view) {
    const Error& failed = seen.view.error();
    return {device, name, "-", phase_words(failed), "-", "-", "-", failed.message};
  }
  const TpmView& view = *seen.view;
  if (!view.status) {
    return {device, name, "-", view.service, "-", "-", "-", "-"};
  }
  return {device,
          name,
          version_name(view.status->version),
          phase_words(*view.status),
          use_words(view),
          lockout_words(view),
          std::to_string(view.status->pid),
          printable(text_in(view.status->state))};
}

void print_reports(const Arguments& arguments, Host& host, const std::vector<Seen>& all) {
  std::vector<Report> reports;
  std::string text;
  for (const Seen& seen : all) {
    reports.push_back(report_of(seen, host));
    text += (text.empty() ? "" : "\n") + reports.back().text();
  }
  host.out << (arguments.json ? json_array(reports) : text);
}

}  // namespace

Result<void> list(const Arguments& arguments, Host& host) {
  auto all = look_at_all(host);
  if (arguments.json) {
    print_reports(arguments, host, all);
    return told_of_failures(all);
  }
  std::vector<std::vector<std::string>> rows{
      {"DEVICE", "NAME", "TPM", "PHASE", "IN USE", "LOCKOUT", "PID", "STATE"}};
  std::ranges::transform(all, std::back_inserter(rows), row_of);
  host.out << table(rows);
  return told_of_failures(all);
}

Result<void> status(const Arguments& arguments, Host& host) {
  auto all = arguments.all ? look_at_all(host) : look_at(arguments.names, host);
  for (Seen& seen : all) {
    if (seen.view) {
      ask_last_words(*seen.view, host);
    }
  }
  if (arguments.all || all.size() > 1) {
    print_reports(arguments, host, all);
    return told_of_failures(all);
  }
  const auto& view = all.front().view;
  if (!view) {
    return tl::unexpected(view.error());
  }
  print(arguments, host, report_of(*view, host));
  return {};
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
