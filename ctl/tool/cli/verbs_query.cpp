#include <algorithm>
#include <array>
#include <iterator>
#include <ostream>

#include "ctl/tool/cli/overview.h"
#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/device/capabilities.h"
#include "ctl/tool/device/transfers.h"
#include "engine/command/response_codes.h"

namespace vtpm::verb {
namespace {

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
          phase_words(view),
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
  if (all.empty()) {
    warn(arguments, host, "there is no virtual TPM on this host");
  }
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
