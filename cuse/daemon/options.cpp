#include "cuse/daemon/options.h"

#include <grp.h>
#include <pwd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <iostream>
#include <map>
#include <sstream>

#include "ctl/config/configured.h"
#include "ctl/config/usage.h"
#include "cuse/daemon/configured_arguments.h"
#include "engine/keys/state_keys.h"

namespace vtpm {
namespace {

constexpr const char* kVersion = "vtpmd " VTPM_VERSION;

// Checks a word against the names of an enumeration and puts the number in its place, which CLI11
// then converts.
template <class Value>
CLI::Validator one_of(const std::map<std::string, Value>& names) {
  std::string list;
  for (const auto& [name, value] : names) {
    list += (list.empty() ? "" : ", ") + name;
  }
  auto replace = [names, list](std::string& word) -> std::string {
    auto found = names.find(word);
    if (found == names.end()) {
      return "'" + word + "' is not one of " + list;
    }
    word = std::to_string(static_cast<int>(found->second));
    return {};
  };
  return {replace, ""};  // its name says the same
}

std::string check_device(const std::string& text) {
  if (text == "auto" || index_of_device(text)) {
    return {};
  }
  return "'" + text + "' is no device name: say vtpm0 to vtpm65535, or auto";
}

std::string check_state(const std::string& text) {
  auto location = parse_state_location(text);
  return location ? std::string() : location.error().message;
}

std::string check_mode(const std::string& text) {
  bool octal = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '7'; });
  bool sized = text.size() == 3 || (text.size() == 4 && text.front() == '0');
  return octal && sized ? std::string()
                        : "'" + text + "' is no mode: say three octal digits, as in 660";
}

// Names go into a file that udev reads line by line.
std::string check_account(const std::string& text) {
  bool plain = !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  return plain ? std::string() : "'" + text + "' is no name of a user or group";
}

// Kept as CLI11 fills it in, before it becomes Options.
struct Raw {
  std::string config;
  bool check = false;
  bool make_state = false;
  std::string device;
  std::string state;
  std::string startup = "clear";
  bool no_auto_shutdown = false;
  std::vector<std::string> migration;
  std::string locality;
  std::string control = "allowed";
  std::string control_user;
  std::string control_group;
  std::string status_group;
  std::string user;
  std::string resource_manager;  // empty: as the TPM's version has it
};

void add_tpm_options(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--device", raw.device,
                 "Node to make: vtpm0 for /dev/vtpm0, or auto for the first free one")
      ->required()
      ->check(check_device)
      ->type_name("NAME");
  app.add_option("--tpm", options.tpm, "TPM version")
      ->transform(one_of<TpmVersion>({{"2.0", TpmVersion::tpm20}, {"1.2", TpmVersion::tpm12}}))
      ->default_str("2.0")
      ->type_name("2.0|1.2");
  app.add_option("--profile", options.profile,
                 "libtpms profile of a new TPM, in JSON (libtpms 0.10 or newer)")
      ->type_name("JSON");
  app.add_option("--power", options.power,
                 "on: at once; off: a hypervisor sends INIT; at-open: on, not started, with each "
                 "open of the node, off in order with its close")
      ->transform(one_of<InitialPower>({{"on", InitialPower::on},
                                        {"off", InitialPower::off},
                                        {"at-open", InitialPower::at_open}}))
      ->default_str("on")
      ->type_name("on|off|at-open");
  app.add_option("--startup", raw.startup, "Startup command after power-on by --power on")
      ->check(CLI::IsMember({"clear", "state", "none"}))
      ->default_str("clear")
      ->type_name("clear|state|none");
  app.add_option("--buffer-size", options.buffer_size,
                 "Largest command and response in bytes, as the TPM reports it")
      ->check(CLI::Range(1, 4096))
      ->type_name("BYTES");
  app.add_option("--resource-manager", raw.resource_manager,
                 "on: beside the node one for any number of openers (vtpmrm0 for vtpm0), each with "
                 "objects and sessions of its own; of a TPM 1.2 there is none")
      ->check(CLI::IsMember({"on", "off"}))
      ->default_str("on")
      ->type_name("on|off");
  app.add_option("--rm-objects", options.resources.objects_per_space,
                 "Objects and sequences that each open of the managed node may have")
      ->check(CLI::Range(3, 4096))
      ->type_name("N");
  app.add_option("--rm-sessions", options.resources.sessions_per_space,
                 "Sessions that each open of the managed node may have")
      ->check(CLI::Range(3, 60))
      ->type_name("N");
  app.add_flag("--no-auto-shutdown", raw.no_auto_shutdown,
               "Do not send TPM2_Shutdown before power is taken from a running TPM");
}

void add_state_options(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--state", raw.state,
                 "Where the TPM's state is: file:PATH, a file or block device of its own, or "
                 "dir:PATH, a directory in swtpm's layout")
      ->required()
      ->check(check_state)
      ->type_name("file:PATH|dir:PATH");
  app.add_option("--create", options.state.create, "Whether a TPM that has no state yet is made")
      ->transform(one_of<CreateState>(
          {{"if-missing", CreateState::if_missing}, {"never", CreateState::never}}))
      ->default_str("if-missing")
      ->type_name("if-missing|never");
  app.add_flag("--state-wait", options.state.wait,
               "If there is no state yet, wait for it: the nodes are there at once, commands get "
               "TPM_RC_RETRY, and the TPM is powered on when its state appears. Never makes one");
  app.add_option("--key", options.key,
                 "Key that seals the state: file=PATH, fd=N or credential=NAME (the key), "
                 "pwdfile=, pwdfd= or pwdcredential= (a passphrase), and format=, remove; for dir: "
                 "also swtpm's mode= and kdf=")
      ->type_name("SOURCE");
  app.add_option("--sync", options.state.sync,
                 "full: a command is answered when its change is on stable storage; none: faster, "
                 "and a power cut may take back the last changes that were acknowledged")
      ->transform(one_of<Sync>({{"full", Sync::full}, {"none", Sync::none}}))
      ->default_str("full")
      ->type_name("full|none");
}

void add_instance_options(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--name", options.name,
                 "Name of the machine whose TPM this is: options come from /etc/vtpm/NAME.toml, "
                 "state is in /var/lib/vtpm/NAME, and udev makes links by that name")
      ->type_name("NAME");
  app.add_option("--config", raw.config,
                 "Take options from this file, TOML with a key for each (buffer-size = 3968)")
      ->type_name("FILE");
  app.add_option("--owner", options.permissions.owner, "Owner of the node, set by udev's rules")
      ->check(check_account)
      ->type_name("USER");
  app.add_option("--group", options.permissions.group, "Group of the node, set by udev's rules")
      ->check(check_account)
      ->type_name("GROUP");
  app.add_option("--mode", options.permissions.mode, "Mode of the node, set by udev's rules")
      ->check(check_mode)
      ->type_name("OCTAL");
  app.add_option("--rm-owner", options.managed_permissions.owner,
                 "Owner of the managed node, set by udev's rules (default: tss)")
      ->check(check_account)
      ->type_name("USER");
  app.add_option("--rm-group", options.managed_permissions.group,
                 "Group of the managed node, set by udev's rules (default: tss)")
      ->check(check_account)
      ->type_name("GROUP");
  app.add_option("--rm-mode", options.managed_permissions.mode,
                 "Mode of the managed node, set by udev's rules (default: 0660)")
      ->check(check_mode)
      ->type_name("OCTAL");
  CLI::Option* check =
      app.add_flag("--check", raw.check, "Only look whether the options are right");
  app.add_flag("--make-state", raw.make_state, "Make the state of a new TPM, and end")
      ->excludes(check);
}

void add_control_options(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--control", raw.control,
                 "On the raw node. none: nobody controls the TPM through it, root neither; the "
                 "control node is what remains")
      ->check(CLI::IsMember({"allowed", "none"}))
      ->default_str("allowed")
      ->type_name("allowed|none");
  app.add_option("--control-user", raw.control_user,
                 "User who may control the TPM besides root (name or number); root: every opener "
                 "with the number 0, in containers too")
      ->check(check_account)
      ->type_name("USER");
  app.add_option("--control-group", raw.control_group,
                 "Group whose members may control the TPM (name or number)")
      ->check(check_account)
      ->type_name("GROUP");
  app.add_option("--status-group", raw.status_group,
                 "Group whose members may ask for the TPM's status on the control node, and change "
                 "nothing (name or number)")
      ->check(check_account)
      ->type_name("GROUP");
  app.add_option("--locality", raw.locality, "reject-4: nobody may set locality 4")
      ->check(CLI::IsMember({"reject-4"}))
      ->type_name("reject-4");
  app.add_option("--migration-key", options.migration_key,
                 "Key that state blobs are encrypted with: file=PATH, fd=N or credential=NAME (the "
                 "key), pwdfile=, pwdfd= or pwdcredential= (a passphrase), and mode=, format=, "
                 "kdf=, remove")
      ->type_name("SOURCE");
  app.add_option("--migration", raw.migration,
                 "incoming: lock the storage only at INIT; release-lock-outgoing: release the lock "
                 "once all state blobs were asked for")
      ->delimiter(',')
      ->check(CLI::IsMember({"incoming", "release-lock-outgoing"}))
      ->type_name("incoming|release-lock-outgoing");
}

void add_privilege_options(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--user", raw.user,
                 "User to serve as, once the nodes are made (name or number); GROUP is the user's "
                 "own if it is not given. The state has to belong to this user")
      ->check([](const std::string& text) { return text.empty() ? "is empty" : ""; })
      ->type_name("USER[:GROUP]");
  app.add_option("--sandbox", options.sandbox,
                 "on: files other than the state, and system calls that vtpmd does not make, are "
                 "refused; log: such calls are let through, and logged by the kernel; off: for "
                 "debugging")
      ->transform(one_of<SandboxMode>(
          {{"on", SandboxMode::on}, {"log", SandboxMode::log}, {"off", SandboxMode::off}}))
      ->default_str("on")
      ->type_name("on|log|off");
  app.add_option("--openssl-config", options.openssl_configuration,
                 "Configuration of OpenSSL that counts for this TPM, for a FIPS provider for "
                 "example (default: none; the host's openssl.cnf does not count)")
      ->type_name("FILE");
}

void add_process_options(CLI::App& app, Options& options) {
  app.add_option("--major", options.device.major,
                 "Major device number (default: the one all vtpm devices share)")
      ->check(CLI::Range(1, 511))
      ->type_name("N");
  app.add_option("--minor", options.device.minor,
                 "Minor device number (default: the number in the name)")
      ->check(CLI::Range(0, 65535))
      ->type_name("N");
  app.add_flag("--daemon", options.daemon, "Go to the background once the TPM answers on its node");
  app.add_option("--pid-file", options.pid_file,
                 "Write the process number there once the TPM answers")
      ->type_name("PATH");
  app.add_option("--log-level", options.log_level, "Most detailed messages to write")
      ->transform(one_of<log::Level>({{"error", log::Level::error},
                                      {"warning", log::Level::warning},
                                      {"info", log::Level::info},
                                      {"debug", log::Level::debug}}))
      ->default_str("info")
      ->type_name("error|warning|info|debug");
}

std::optional<StartupType> startup_type(const std::string& text) {
  if (text == "none") {
    return std::nullopt;
  }
  return text == "state" ? StartupType::state : StartupType::clear;
}

bool says(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

std::optional<unsigned> number(const std::string& text) {
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

std::optional<uid_t> user_number(const std::string& name) {
  const passwd* entry = getpwnam(name.c_str());  // NOLINT: no thread yet
  return entry != nullptr ? std::optional(entry->pw_uid) : number(name);
}

std::optional<gid_t> group_number(const std::string& name) {
  const group* entry = getgrnam(name.c_str());  // NOLINT: no thread yet
  return entry != nullptr ? std::optional(entry->gr_gid) : number(name);
}

// "USER", "USER:GROUP"; a user by number alone has no group of its own, so it needs one.
Result<RunAs> run_as(const std::string& text) {
  std::string user = text.substr(0, text.find(':'));
  std::string group = user.size() < text.size() ? text.substr(user.size() + 1) : "";
  const passwd* entry = getpwnam(user.c_str());  // NOLINT: no thread yet
  auto gid = entry != nullptr ? std::optional(entry->pw_gid) : std::nullopt;
  auto uid = entry != nullptr ? std::optional(entry->pw_uid) : number(user);
  if (!uid) {
    return failure(Errc::invalid, "--user: there is no user '" + user + "'");
  }
  if (user.size() < text.size()) {
    gid = group_number(group);
    if (!gid) {
      return failure(Errc::invalid, "--user: there is no group '" + group + "'");
    }
  }
  if (!gid) {
    return failure(Errc::invalid, "--user: no user has the number " + user +
                                      ", so its group is not known: say USER:GROUP");
  }
  return RunAs{user, *uid, *gid};
}

// A node has one group. Where another is to look besides the one that controls, everybody may open
// the node for reading, which permits what anyone may ask; who is in that group is seen at the
// open.
std::string control_mode(const Raw& raw) {
  if (raw.status_group.empty()) {
    return raw.control_group.empty() ? "" : "0660";
  }
  return raw.control_group.empty() ? "0640" : "0664";
}

void complete(Options& options, const Raw& raw) {
  if (raw.check || raw.make_state) {
    options.task = raw.check ? RunTask::check : RunTask::make_state;
  }
  options.device.name = raw.device == "auto" ? "" : raw.device;
  // Who may control has to be able to open the control node.
  options.control_permissions.owner = raw.control_user;
  options.control_permissions.group =
      raw.control_group.empty() ? raw.status_group : raw.control_group;
  options.control_permissions.mode = control_mode(raw);
  options.state.create = options.state.wait ? CreateState::never : options.state.create;
  options.state.location = parse_state_location(raw.state).value_or(StateLocation());
  options.startup = startup_type(raw.startup);
  options.auto_shutdown = !raw.no_auto_shutdown;
  options.resource_manager = raw.resource_manager.empty() ? options.tpm == TpmVersion::tpm20
                                                          : raw.resource_manager == "on";
  options.access.on_raw_node = raw.control != "none";
  options.control.reject_locality_4 = raw.locality == "reject-4";
  options.control.incoming = says(raw.migration, "incoming");
  options.control.release_lock_outgoing = says(raw.migration, "release-lock-outgoing");
}

// Of "key: ..." comes "--key: ...", and "--migration-key: ...".
std::string wrong_key(const Options& options) {
  auto key = options.key.empty()
                 ? Result<void>()
                 : check_state_key_words(key_form(options.state.location.format), options.key);
  if (!key) {
    return "--" + key.error().message;
  }
  auto migration =
      options.migration_key.empty() ? Result<void>() : check_swtpm_key_words(options.migration_key);
  return migration ? std::string() : "--migration-" + migration.error().message;
}

std::string wrong_combination(const Options& options) {
  if (options.control.incoming && options.power != InitialPower::off) {
    return "--migration incoming needs --power off: a hypervisor gives the state, then INIT";
  }
  if (options.state.wait && options.power == InitialPower::at_open) {
    return "--state-wait needs --power on or off: at-open takes power with the node's opener";
  }
  if (options.resource_manager && options.tpm == TpmVersion::tpm12) {
    return "--resource-manager on needs a TPM 2.0: a TPM 1.2 manages its own slots, or its users "
           "do, by TPM_SaveContext";
  }
  return {};
}

// Whose the nodes are, who may control, and whom vtpmd becomes: as numbers of this host.
std::string look_names_up(Options& options, const Raw& raw) {
  // udev would leave the node to root where it does not know a name, and nobody would be told.
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
  struct User {
    const char* option;
    const std::string& name;
    std::optional<uid_t>& number;
  };
  for (const User& user : {User{"--owner", options.permissions.owner, owner},
                           User{"--rm-owner", options.managed_permissions.owner, owner},
                           User{"--control-user", raw.control_user, options.access.user}}) {
    if (!user.name.empty() && !(user.number = user_number(user.name))) {
      return std::string(user.option) + ": there is no user '" + user.name + "'";
    }
  }
  struct Group {
    const char* option;
    const std::string& name;
    std::optional<gid_t>& number;
  };
  for (const Group& one :
       {Group{"--group", options.permissions.group, group},
        Group{"--rm-group", options.managed_permissions.group, group},
        Group{"--control-group", raw.control_group, options.access.group},
        Group{"--status-group", raw.status_group, options.access.status_group}}) {
    if (!one.name.empty() && !(one.number = group_number(one.name))) {
      return std::string(one.option) + ": there is no group '" + one.name + "'";
    }
  }
  auto user = raw.user.empty() ? Result<RunAs>(RunAs()) : run_as(raw.user);
  if (!user) {
    return user.error().message;
  }
  if (!raw.user.empty()) {
    options.run_as = *user;
  }
  return {};
}

// What the options' own checks cannot see; empty when all is well.
std::string resolve(Options& options, const Raw& raw) {
  for (std::string wrong : {wrong_combination(options), wrong_key(options)}) {
    if (!wrong.empty()) {
      return wrong;
    }
  }
  return look_names_up(options, raw);
}

// In one line: whoever asks the journal for the last error gets all of it.
ParsedOptions usage_error(std::string complaint) {
  complaint.erase(complaint.find_last_not_of(" \n") + 1);
  log::configure(log::Level::info, "vtpmd");
  log::error(complaint + " (vtpmd --help lists the options)");
  return {std::nullopt, 2};
}

ParsedOptions end_with(CLI::App& app, const CLI::ParseError& error) {
  app.failure_message([](const CLI::App*, const CLI::Error& what) { return what.what(); });
  std::ostringstream complaint;
  int status = end_of_parsing(app, error, std::cout, complaint);
  return status == 0 ? ParsedOptions{std::nullopt, 0} : usage_error(complaint.str());
}

}  // namespace

ParsedOptions parse_options(int argc, const char* const* argv, const InstancePaths& paths) {
  Options options;
  Raw raw;
  CLI::App app("A virtual TPM as a character device: makes /dev/NAME and serves it until SIGTERM.",
               "vtpmd");
  app.set_version_flag("--version", kVersion, "Print the version and exit");
  app.option_defaults()->group("Options: which TPM, and whose");
  add_instance_options(app, options, raw);
  app.option_defaults()->group("Options: the TPM");
  add_tpm_options(app, options, raw);
  app.option_defaults()->group("Options: its state");
  add_state_options(app, options, raw);
  app.option_defaults()->group("Options: who may steer it, and how it moves");
  add_control_options(app, options, raw);
  app.option_defaults()->group("Options: what the daemon may");
  add_privilege_options(app, options, raw);
  app.option_defaults()->group("Options: the device's numbers, the process");
  add_process_options(app, options);
  use_plain_help(app);
  app.footer(
      "Example: vtpmd --device vtpm0 --state dir:/var/lib/vtpm/web01\nExit status: 0 ended in "
      "order, 1 failed, 2 wrong usage; with --daemon: 0 ready, 3 ready and the TPM has failed.");
  auto words = with_configuration(Words(argv + 1, argv + argc), paths, [&](const std::string& key) {
    return app.get_option_no_throw("--" + key) != nullptr;
  });
  if (!words) {
    return usage_error(words.error().message);
  }
  std::ranges::reverse(*words);  // as CLI11 wants them
  try {
    app.parse(*words);
  } catch (const CLI::ParseError& error) {
    return end_with(app, error);
  }
  complete(options, raw);
  if (std::string complaint = resolve(options, raw); !complaint.empty()) {
    return usage_error(complaint);
  }
  if (options.task == RunTask::check && !options.name.empty()) {
    auto unclaimed = check_device_unclaimed(paths, options.name, raw.device);
    if (!unclaimed) {
      return usage_error(unclaimed.error().message);
    }
  }
  return {options, 0};
}

}  // namespace vtpm
