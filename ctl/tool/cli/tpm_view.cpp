#include "ctl/tool/cli/tpm_view.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>

#include "ctl/tool/device/holder.h"
#include "ctl/tool/services/instances.h"

namespace vtpm {
namespace {

constexpr const char* kUnknown = "unknown";

bool has(uint32_t flags, uint32_t flag) {
  return (flags & flag) != 0;
}

std::string yes_or_no(bool value) {
  return value ? "yes" : "no";
}

std::string phase_name(uint32_t phase) {
  constexpr std::array kNames{"off", "on", "failed"};
  return phase < kNames.size() ? kNames.at(phase) : "unknown (" + std::to_string(phase) + ")";
}

std::string duration_words(uint64_t seconds) {
  constexpr uint64_t kMinute = 60;
  constexpr uint64_t kHour = 60 * kMinute;
  constexpr uint64_t kDay = 24 * kHour;
  if (seconds < kMinute) {
    return std::to_string(seconds) + " s";
  }
  if (seconds < kHour) {
    return std::to_string(seconds / kMinute) + " min";
  }
  if (seconds < kDay) {
    return std::to_string(seconds / kHour) + " h " + std::to_string(seconds % kHour / kMinute) +
           " min";
  }
  return std::to_string(seconds / kDay) + " d " + std::to_string(seconds % kDay / kHour) + " h";
}

// When `vtpmctl state backup` wrote its record, which says the same and which not everybody may
// read; "never" without one.
std::string last_backup_of(const InstancePaths& paths, const std::string& name) {
  struct stat status {};
  if (::stat(paths.last_backup_of(name).c_str(), &status) != 0) {
    return errno == ENOENT ? "never" : "";
  }
  std::array<char, 32> text{};
  std::tm time{};
  gmtime_r(&status.st_mtim.tv_sec, &time);
  size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &time);
  return {text.data(), length};
}

// The kernel says so of a program whose file was replaced; who may not look goes by the versions.
bool is_outdated(const std::string& proc, uint32_t pid, const std::string& version) {
  std::error_code error;
  auto program = std::filesystem::read_symlink(proc + "/" + std::to_string(pid) + "/exe", error);
  bool replaced = !error && program.native().ends_with(" (deleted)");
  return replaced || (!version.empty() && version != VTPM_VERSION);
}

// Text that is empty where it is not known.
void add_text(Report& report, const char* key, const std::string& text, const char* otherwise) {
  report.add(key, text, text.empty() ? otherwise : printable(text));
}

void add_identity(Report& report, const TpmView& view, const Host& host) {
  std::string node = view.device.empty() ? "" : host.paths.dev + "/" + view.device;
  add_text(report, "name", view.name, "none: it belongs to no instance");
  add_text(report, "device", node, kUnknown);
  add_text(report, "control_node", view.node, "none while it does not run");
  add_text(report, "managed_node", view.managed_node, "none");
  std::string lines;
  for (const std::string& link : view.links) {
    lines += (lines.empty() ? "" : "\n") + link;
  }
  report.add("links", view.links, lines.empty() ? "none" : printable(lines));
  add_text(report, "service", view.service, "none: it was started by hand");
  report.add("enabled", view.enabled, yes_or_no(view.enabled));
  add_text(report, "configuration",
           view.name.empty() ? "" : host.instances.configuration_of(view.name), "none");
}

// Of an instance whose daemon could not be asked, since it has no node.
struct PhaseWithoutNode {
  const char* name;
  const char* words;
};

PhaseWithoutNode phase_without_node(const std::string& service) {
  if (service == "starting") {
    return {"starting", "starting: its daemon has no node yet"};
  }
  if (service == "stopping") {
    return {"stopping", "stopping: its daemon has no node any more"};
  }
  if (service == "running") {
    return {kUnknown, "unknown: its daemon runs, and has no node here"};
  }
  return {"stopped", "stopped: no daemon runs"};
}

void add_tpm(Report& report, const TpmView& view, const vtpm_status& status) {
  bool runs = view.status.has_value();
  bool started = has(status.flags, VTPM_STATUS_STARTED);
  std::string version = runs ? version_name(status.version) : "";
  PhaseWithoutNode phase = phase_without_node(view.service);
  report.add("version", version, runs ? "TPM " + version : kUnknown)
      .add("phase", runs ? phase_name(status.phase) : phase.name,
           runs ? phase_words(status) : phase.words)
      .add("started", started, yes_or_no(started))
      .add("locality", uint64_t{status.locality});
  std::string reason = runs ? text_in(status.reason) : view.last_words;
  add_text(report, "reason", reason, "none");
}

bool storage_fails(const TpmView& view) {
  return has(view.details.value_or(vtpm_details{}).flags, VTPM_DETAILS_STORAGE_FAILS);
}

void add_storage(Report& report, const TpmView& view, const vtpm_status& status) {
  bool locked = has(status.flags, VTPM_STATUS_STORAGE_LOCKED);
  vtpm_details details = view.details.value_or(vtpm_details{});
  bool failed = has(details.flags, VTPM_DETAILS_STORAGE_FAILED);
  bool fails = storage_fails(view);
  std::string why = text_in(details.storage_failure);
  uint32_t keys = view.config.value_or(vtpm_config{}).flags;
  const char* no_failure = view.details ? "none" : kUnknown;
  const char* no_key = view.config ? "none" : kUnknown;
  add_text(report, "state", text_in(status.state), kUnknown);
  report.add("storage_locked", locked, yes_or_no(locked))
      .add("storage_failure", why,
           failed ? printable(why) + ", " + duration_words(details.storage_failure_age) + " ago; " +
                        (fails ? "nothing was stored since" : "it has stored since")
                  : no_failure)
      .add_quietly("storage_fails", fails)
      .add("state_key", has(keys, VTPM_CONFIG_FLAG_FILE_KEY),
           has(keys, VTPM_CONFIG_FLAG_FILE_KEY) ? "yes, the storage is encrypted" : no_key)
      .add("migration_key", has(keys, VTPM_CONFIG_FLAG_MIGRATION_KEY),
           has(keys, VTPM_CONFIG_FLAG_MIGRATION_KEY) ? "yes, saved blobs are encrypted" : no_key);
  add_text(report, "last_backup", view.last_backup, kUnknown);
}

void add_use(Report& report, const TpmView& view, const vtpm_status& status) {
  bool in_use = has(status.flags, VTPM_STATUS_IN_USE);
  bool opened = in_use || status.opener_pid != 0;
  std::string opener = holder_in_words(status, view.details);
  report.add("in_use", in_use, in_use ? "yes, by " + opener : "no")
      .add("opener", uint64_t{status.opener_pid}, opened ? opener : "nobody yet")
      .add_quietly("opener_name", text_in(view.details.value_or(vtpm_details{}).opener))
      .add("commands", status.commands);
}

std::string plural(uint64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::string words_of(const vtpm_space& space) {
  return holder_in_words(space) + ": " + plural(space.objects, "object") + ", " +
         plural(space.sessions, "session") + ", " + plural(space.commands, "command");
}

Report report_of(const vtpm_space& space) {
  Report report;
  report.add("id", space.id)
      .add("pid", uint64_t{space.pid})
      .add("uid", uint64_t{space.uid})
      .add("objects", uint64_t{space.objects})
      .add("sessions", uint64_t{space.sessions})
      .add("commands", space.commands);
  return report;
}

void add_spaces(Report& report, const TpmView& view) {
  std::string lines = view.spaces ? "" : kUnknown;
  std::vector<Report> rows;
  for (const vtpm_space& space : view.spaces.value_or(std::vector<vtpm_space>())) {
    lines += (lines.empty() ? "" : "\n") + words_of(space);
    rows.push_back(report_of(space));
  }
  report.add("managed", lines.empty() ? "no opener" : lines).add_rows("spaces", std::move(rows));
}

// Errors: none; an older daemon has none.
std::optional<std::vector<vtpm_space>> spaces_of(DeviceClient& device) {
  constexpr size_t kMost = 65536;  // a daemon that says "more" for ever is not believed
  std::vector<vtpm_space> spaces;
  for (bool more = true; more && spaces.size() < kMost;) {
    vtpm_spaces request{};
    request.req.after = spaces.empty() ? 0 : spaces.back().id;
    auto page = device.call(request::get_spaces, request);
    if (!page) {
      return std::nullopt;
    }
    size_t count = std::min<size_t>(page->resp.count, VTPM_SPACES_MAX);
    spaces.insert(spaces.end(), page->resp.spaces, page->resp.spaces + count);
    more = page->resp.more != 0 && count != 0;
  }
  return spaces;
}

void add_lockout(Report& report, const TpmView& view) {
  vtpm_details details = view.details.value_or(vtpm_details{});
  bool known = has(details.flags, VTPM_DETAILS_LOCKOUT_KNOWN);
  report.add("lockout", lockout_words(view))
      .add_quietly("lockout_known", known)
      .add_quietly("locked_out", known && details.lockout_failed >= details.lockout_limit)
      .add_quietly("failed_tries", uint64_t{details.lockout_failed})
      .add_quietly("lockout_limit", uint64_t{details.lockout_limit})
      .add_quietly("lockout_interval", uint64_t{details.lockout_interval})
      .add_quietly("lockout_recovery", uint64_t{details.lockout_recovery});
}

void add_daemon(Report& report, const TpmView& view, const vtpm_status& status) {
  vtpm_details details = view.details.value_or(vtpm_details{});
  std::string program = text_in(details.program);
  std::string words = program.empty() ? kUnknown : "vtpmd " + printable(program);
  report.add("pid", uint64_t{status.pid}, status.pid == 0 ? "none" : std::to_string(status.pid))
      .add("uptime", details.uptime,
           view.details ? duration_words(details.uptime) : std::string(kUnknown))
      .add("program", program,
           view.outdated ? words + ", an older program: restart takes the new one" : words)
      .add_quietly("outdated", view.outdated);
}

}  // namespace

std::string version_name(uint32_t version) {
  if (version == VTPM_VERSION_1_2) {
    return "1.2";
  }
  return version == VTPM_VERSION_2_0 ? "2.0" : "unknown (" + std::to_string(version) + ")";
}

std::string phase_words(const vtpm_status& status) {
  std::string words = phase_name(status.phase);
  if (status.phase == VTPM_PHASE_ON) {
    words += has(status.flags, VTPM_STATUS_STARTED) ? ", started" : ", not started";
  }
  return words;
}

std::string phase_words(const TpmView& view) {
  std::string words = phase_words(view.status.value_or(vtpm_status{}));
  return storage_fails(view) ? words + ", storage fails" : words;
}

std::string use_words(const TpmView& view) {
  vtpm_status status = view.status.value_or(vtpm_status{});
  bool in_use = has(status.flags, VTPM_STATUS_IN_USE);
  std::string raw = in_use ? holder_in_words(status, view.details) : "no";
  size_t spaces = view.spaces.value_or(std::vector<vtpm_space>()).size();
  std::string managed = "managed by " + std::to_string(spaces);
  return spaces == 0 ? raw : (in_use ? raw + ", " : "") + managed;
}

std::string lockout_words(const TpmView& view) {
  vtpm_details details = view.details.value_or(vtpm_details{});
  if (!has(details.flags, VTPM_DETAILS_LOCKOUT_KNOWN)) {
    return kUnknown;
  }
  bool locked = details.lockout_failed >= details.lockout_limit;
  std::string tries = std::to_string(details.lockout_failed) + " of " +
                      std::to_string(details.lockout_limit) + " failed tries";
  return locked ? "locked out: " + tries + ", one less every " +
                      duration_words(details.lockout_interval)
                : tries;
}

TpmView view_of_instance(const std::string& name, const ServiceState& service, const Host& host) {
  TpmView view;
  view.name = name;
  view.service = service.state;
  view.enabled = service.enabled;
  view.run = service.run;
  view.device = device_of(host.instances, name).value_or("");
  view.last_backup = last_backup_of(host.instances, name);
  return view;
}

void ask_last_words(TpmView& view, Host& host) {
  if (view.service == "failed") {
    view.last_words = host.services.last_words(view.name, view.run);
  }
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): changed below
Result<TpmView> view_of_running(TpmView view, DeviceClient& device, const Host& host) {
  auto status = device.call(request::get_status);
  if (!status) {
    return tl::unexpected(status.error());
  }
  view.node = device.node();
  view.device = raw_device(host.paths, device.node()).value_or("");
  view.managed_node = managed_node(host.paths, view.device);
  view.links = links_to(host.paths, view.device);
  view.status = *status;
  if (auto details = device.call(request::get_details)) {
    view.details = *details;
  }
  view.spaces = spaces_of(device);
  if (auto config = device.call(request::get_config)) {
    view.config = *config;
  }
  std::string program = view.details ? text_in(view.details->program) : "";
  view.outdated = is_outdated(host.paths.proc, status->pid, program);
  return view;
}

Report report_of(const TpmView& view, const Host& host) {
  vtpm_status status = view.status.value_or(vtpm_status{});
  Report report;
  add_identity(report, view, host);
  add_tpm(report, view, status);
  add_storage(report, view, status);
  add_use(report, view, status);
  add_spaces(report, view);
  add_lockout(report, view);
  add_daemon(report, view, status);
  return report;
}

}  // namespace vtpm
