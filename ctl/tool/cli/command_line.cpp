#include "ctl/tool/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <ostream>
#include <span>
#include <sstream>

#include "ctl/config/instance.h"
#include "ctl/config/usage.h"
#include "ctl/tool/report/report.h"
#include "engine/keys/state_keys.h"

namespace vtpm {
namespace {

constexpr const char* kVersion = "vtpmctl " VTPM_VERSION;
constexpr uint32_t kMostRetries = 6000;
constexpr int kNotGiven = -1;

struct Said {
  std::string_view name;
  const char* words;
};

// Where the help lists a verb.
constexpr auto kHeadlines = std::to_array<Said>({
    {"list", "Look"},
    {"status", "Look"},
    {"caps", "Look"},
    {"info", "Look"},
    {"config", "Look"},
    {"power", "Power and version"},
    {"terminate", "Power and version"},
    {"version", "Power and version"},
    {"buffer-size", "Power and version"},
    {"send", "Commands, and what surrounds them"},
    {"cancel", "Commands, and what surrounds them"},
    {"locality", "Commands, and what surrounds them"},
    {"established", "Commands, and what surrounds them"},
    {"hash", "Commands, and what surrounds them"},
    {"state", "State: saved, moved, backed up"},
    {"lock", "State: saved, moved, backed up"},
    {"create", "Virtual TPMs that this host keeps"},
    {"start", "Virtual TPMs that this host keeps"},
    {"stop", "Virtual TPMs that this host keeps"},
    {"restart", "Virtual TPMs that this host keeps"},
    {"enable", "Virtual TPMs that this host keeps"},
    {"disable", "Virtual TPMs that this host keeps"},
    {"destroy", "Virtual TPMs that this host keeps"},
    {"spawn", "Virtual TPMs that this host keeps"},
    {"reap", "Virtual TPMs that this host keeps"},
});

// What the options are that create has of vtpmd's.
constexpr auto kOptionsOfCreate = std::to_array<Said>({
    {"device", "Its node, vtpm0 for /dev/vtpm0; default: the first that nobody has"},
    {"state", "Where its state is, file:PATH or dir:PATH; default: a file of its own"},
    {"key", "Where the key comes from that seals the state"},
    {"tpm", "Its version, 2.0 or 1.2"},
    {"power", "Who powers it on, and when: on, off or at-open"},
    {"owner", "Owner of the node"},
    {"group", "Group of the node"},
    {"mode", "Mode of the node, in octal"},
    {"control-user", "User who may control it besides root"},
    {"control-group", "Group whose members may control it"},
    {"migration-key", "Where the key comes from that state blobs are encrypted with"},
});

// What is said of that name; a name without words has been forgotten above, which a test finds.
std::string said_of(std::span<const Said> table, std::string_view name) {
  auto found = std::ranges::find(table, name, &Said::name);
  return found == table.end() ? "" : found->words;
}

std::string check_hex(const std::string& text) {
  if (text == "-" || parse_hex(text)) {
    return {};
  }
  return "'" + text + "' is no command in hexadecimal digits";
}

std::string check_name(const std::string& text) {
  auto valid = check_instance_name(text);
  return valid ? std::string() : valid.error().message;
}

// An empty value is a script's unset variable: nobody wants a state without a key by that.
std::string check_given(const std::string& value) {
  return value.empty() ? "the value is empty" : std::string();
}

// CLI11's view of the command line, and what it fills in.
class CommandLine {
 public:
  CommandLine() : app_("Steers and asks virtual TPMs, the devices that vtpmd makes.", "vtpmctl") {
    app_.set_version_flag("--version", kVersion, "Print the version and exit");
    app_.require_subcommand(1);
    app_.footer(
        "DEV is vtpm0, /dev/vtpm0 or a VM's name. 'vtpmctl VERB --help' tells a verb's options.\n"
        "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 started, but its TPM cannot be "
        "used.");
    add_queries();
    add_power();
    add_tpm();
    add_storage();
    add_state();
    add_send();
    add_instances();
    finish(app_);
    for (const Said& headline : kHeadlines) {
      app_.get_subcommand(std::string(headline.name))->group(headline.words);
    }
    use_plain_help(app_);
  }

  CLI::App& app() { return app_; }

  // Call once, after parsing. Throws what CLI11 throws.
  Arguments arguments() {
    check_blob_files();
    check_choices();
    check_keys();
    Arguments result = raw_;
    result.startup = startup_type();
    result.locality = to_locality(locality_);
    result.reset = to_locality(reset_);
    if (buffer_size_ != 0) {
      result.buffer_size = buffer_size_;
    }
    if (!version_.empty()) {
      result.version = version_ == "1.2" ? TpmVersion::tpm12 : TpmVersion::tpm20;
    }
    if (hex_ != "-") {
      result.command = parse_hex(hex_);
    }
    add_options_to(result);
    return result;
  }

 private:
  // Every verb's errors can be had as JSON.
  void finish(CLI::App& app) {
    for (CLI::App* sub : app.get_subcommands(nullptr)) {
      if (!sub->get_subcommands(nullptr).empty()) {
        finish(*sub);
      } else if (sub->get_option_no_throw("--json") == nullptr) {
        sub->add_flag("--json", raw_.json, "Print errors as JSON, for programs");
      }
    }
  }

  void check_blob_files() const {
    bool takes_files = raw_.verb == Verb::state_save || raw_.verb == Verb::state_load;
    if (takes_files && std::ranges::all_of(raw_.blob_files, &std::string::empty)) {
      throw CLI::RequiredError("one of --permanent, --volatile and --savestate");
    }
  }

  // Where nothing is done by default.
  void check_choices() const {
    if (raw_.verb == Verb::state_rekey && raw_.new_key.empty() && !raw_.remove_key) {
      throw CLI::RequiredError("--new-key or --remove-key");
    }
    if (raw_.verb == Verb::state_backup && raw_.directory.empty() && raw_.file.empty()) {
      throw CLI::RequiredError("DEV and FILE, or --all DIR,");
    }
    if (raw_.verb == Verb::state_restore && !raw_.same_identity && !raw_.fresh_identity) {
      throw CLI::RequiredError(
          "--same-identity (the TPM goes on as the one that was backed up, which must not run any "
          "more) or --fresh-identity (it belongs to a clone, which gets an endorsement key of its "
          "own)");
    }
  }

  // Whether the sources of keys make sense; what is in them is looked at when they are read. The
  // options of create that are vtpmd's are vtpmd's to check.
  void check_keys() const {
    bool to_swtpm = raw_.verb == Verb::state_export;
    bool from_swtpm = raw_.verb == Verb::state_import ||
                      (raw_.verb == Verb::create && !raw_.from.starts_with("file:"));
    check_key("--from-", raw_.from_key, from_swtpm ? KeyForm::swtpm : KeyForm::file);
    check_key("--", raw_.key, to_swtpm ? KeyForm::swtpm : KeyForm::file);
    check_key("--new-", raw_.new_key, KeyForm::file);
    check_key("--migration-", raw_.migration_key, KeyForm::swtpm);
  }

  // Of "key: ..." comes "--from-key: ...".
  static void check_key(const std::string& prefix, const std::string& source, KeyForm form) {
    auto sensible = source.empty() ? Result<void>() : check_state_key_words(form, source);
    if (!sensible) {
      throw CLI::ValidationError(prefix + sensible.error().message);
    }
  }

  // What `create` was told, as vtpmd's options.
  void add_options_to(Arguments& result) const {
    for (const auto& [key, value] : create_options_) {
      if (!value.empty()) {
        result.options.emplace_back(key, value);
      }
    }
    for (const std::string& assignment : set_) {
      size_t sign = assignment.find('=');
      result.options.emplace_back(assignment.substr(0, sign), assignment.substr(sign + 1));
    }
  }

  static std::optional<Locality> to_locality(int number) {
    return number == kNotGiven ? std::nullopt : std::optional(static_cast<Locality>(number));
  }

  [[nodiscard]] std::optional<StartupType> startup_type() const {
    if (startup_.empty()) {
      return std::nullopt;
    }
    return startup_ == "state" ? StartupType::state : StartupType::clear;
  }

  CLI::App* add_verb(CLI::App& parent, Verb verb, const char* name, const char* about) {
    CLI::App* sub = parent.add_subcommand(name, about);
    sub->callback([this, verb] { raw_.verb = verb; });
    return sub;
  }

  CLI::App* add_device_verb(CLI::App& parent, Verb verb, const char* name, const char* about) {
    CLI::App* sub = add_verb(parent, verb, name, about);
    sub->add_option("DEV", raw_.device, "vtpm0, /dev/vtpm0 or a VM's name")
        ->required()
        ->type_name("");
    return sub;
  }

  void add_json(CLI::App* sub) {
    sub->add_flag("--json", raw_.json, "Print JSON, errors too, for programs");
  }

  void add_status() {
    CLI::App* sub = app_.add_subcommand("status", "All that is known of TPMs, running or not");
    CLI::Option* names =
        sub->add_option("DEV", raw_.names, "vtpm0, /dev/vtpm0 or a VM's name, or several");
    CLI::Option* all = sub->add_flag("--all", raw_.all, "Every one that list shows");
    choose_by(sub, Verb::status, names->type_name("..."), all);
    add_json(sub);
  }

  void add_queries() {
    add_json(add_verb(app_, Verb::list, "list", "All virtual TPMs of this host"));
    add_status();
    add_json(
        add_device_verb(app_, Verb::caps, "caps", "The control requests that the device takes"));
    add_json(add_device_verb(app_, Verb::info, "info",
                             "The TPM's specification, attributes and features"));
    add_json(add_device_verb(app_, Verb::config, "config", "The keys that the daemon was given"));
  }

  void add_power() {
    CLI::App* power = app_.add_subcommand("power", "Power on, off, or off and on");
    power->require_subcommand(1);
    for (auto [verb, name, about] :
         {std::tuple(Verb::power_on, "on", "Power on (INIT)"),
          std::tuple(Verb::power_reset, "reset", "Off in order, and on again (INIT while on)")}) {
      CLI::App* sub = add_device_verb(*power, verb, name, about);
      sub->add_flag("--delete-volatile", raw_.delete_volatile,
                    "Remove stored volatile state once it is loaded");
      sub->add_option("--startup", startup_, "Send a Startup command of this kind then")
          ->check(CLI::IsMember({"clear", "state"}))
          ->type_name("clear|state");
      add_force(sub);
    }
    add_force(add_device_verb(*power, Verb::power_off, "off", "Power off in order (STOP)"));
    add_force(add_device_verb(app_, Verb::terminate, "terminate",
                              "Power off in order and end the daemon (SHUTDOWN)"));
  }

  void add_tpm() {
    add_device_verb(app_, Verb::locality, "locality", "The locality of the commands from now on")
        ->add_option("LOCALITY", locality_, "0 to 4")
        ->required()
        ->check(CLI::Range(0, 4))
        ->type_name("");
    add_device_verb(app_, Verb::cancel, "cancel", "Ask the running command to end");
    CLI::App* established =
        add_device_verb(app_, Verb::established, "established", "The tpmEstablished flag");
    established->add_option("--reset", reset_, "Reset it, at this locality")
        ->check(CLI::Range(0, 4))
        ->type_name("LOCALITY");
    add_json(established);
    add_device_verb(app_, Verb::hash, "hash",
                    "Measure a file as a dynamic launch does (HASH_START, DATA, END)")
        ->add_option("FILE", raw_.file, "The file, or - for standard input")
        ->required()
        ->type_name("");
    CLI::App* version = add_device_verb(app_, Verb::version, "version",
                                        "The TPM's version; another one while powered off");
    version->add_option("VERSION", version_, "1.2 or 2.0: change to it")
        ->check(CLI::IsMember({"1.2", "2.0"}))
        ->type_name("");
    add_json(version);
  }

  void add_storage() {
    CLI::App* size =
        add_device_verb(app_, Verb::buffer_size, "buffer-size",
                        "Size of commands and responses; another one while powered off");
    size->add_option("BYTES", buffer_size_, "Change to it, or the nearest possible")
        ->check(CLI::Range(1u, UINT32_MAX))
        ->type_name("");
    add_json(size);
    add_device_verb(app_, Verb::lock, "lock", "Take the lock of the TPM's storage back")
        ->add_option("--retries", raw_.retries, "How often to try again, 10 ms apart")
        ->check(CLI::Range(0u, kMostRetries))
        ->default_str("0")
        ->type_name("N");
  }

  void add_blob_files(CLI::App* sub, const char* about) {
    for (BlobKind kind : {BlobKind::permanent, BlobKind::volatile_state, BlobKind::savestate}) {
      constexpr std::array kNames{"--permanent", "--volatile", "--savestate"};
      auto index = static_cast<size_t>(kind);
      sub->add_option(kNames.at(index), raw_.blob_files.at(index), about)
          ->check(check_given)
          ->type_name("FILE");
    }
  }

  void add_key(CLI::App* sub, const char* name, std::string& source, const char* about) {
    sub->add_option(name, source, about)->check(check_given)->type_name("SOURCE");
  }

  void add_location(CLI::App* sub, const char* name, std::string& place) {
    sub->add_option(name, place, "file:PATH, dir:PATH, linear:PATH or an instance's name")
        ->required()
        ->type_name("");
  }

  void add_places(CLI::App& state) {
    CLI::App* inspect = add_verb(state, Verb::state_inspect, "inspect",
                                 "What is stored at a place; needs no daemon and no key");
    add_location(inspect, "LOCATION", raw_.from);
    add_json(inspect);
    for (auto [verb, name, about] :
         {std::tuple(Verb::state_import, "import",
                     "Take a state of swtpm's into a file: a VM moves from swtpm to vtpmd"),
          std::tuple(Verb::state_export, "export",
                     "Give a file's state to swtpm: a VM moves from vtpmd to swtpm")}) {
      CLI::App* sub = add_verb(state, verb, name, about);
      add_location(sub, "FROM", raw_.from);
      add_location(sub, "TO", raw_.to);
      add_key(sub, "--from-key", raw_.from_key, "Where the key of FROM comes from");
      add_key(sub, "--key", raw_.key, "Where the key of TO comes from; default: no key");
      if (verb == Verb::state_export) {
        add_migration_key(sub);
      }
      sub->add_option("--tpm", version_, "1.2 or 2.0: this TPM's state only; a linear file has one")
          ->check(CLI::IsMember({"1.2", "2.0"}))
          ->type_name("1.2|2.0");
      sub->add_flag("--replace", raw_.replace, "Also where TO holds a state already");
    }
    CLI::App* rekey = add_verb(state, Verb::state_rekey, "rekey",
                               "Seal a file's state with another key, or with none");
    add_location(rekey, "LOCATION", raw_.from);
    add_key(rekey, "--key", raw_.key, "Where the key of today comes from; default: no key");
    CLI::Option* remove = rekey->add_flag("--remove-key", raw_.remove_key, "Not sealed any more");
    rekey->add_option("--new-key", raw_.new_key, "Where the new key comes from")
        ->check(check_given)
        ->excludes(remove)
        ->type_name("SOURCE");
  }

  void add_migration_key(CLI::App* sub) {
    add_key(sub, "--migration-key", raw_.migration_key,
            "Where the daemon's migration key comes from, if it has one");
  }

  void add_backup_keys(CLI::App* sub) {
    add_key(sub, "--key", raw_.key, "Where the backup's key comes from; default: no key");
    add_migration_key(sub);
  }

  void add_backups(CLI::App& state) {
    constexpr uint32_t kMostGenerations = 1000;
    CLI::App* backup = add_verb(state, Verb::state_backup, "backup",
                                "Back a TPM up, running or not, as a state file (secret!)");
    CLI::Option* device =
        backup->add_option("DEV", raw_.device, "vtpm0, /dev/vtpm0 or a VM's name")->type_name("");
    backup->add_option("FILE", raw_.file, "The state file to write, or - for standard output")
        ->type_name("");
    backup->add_option("--all", raw_.directory, "Every instance of this host, as DIR/NAME")
        ->excludes(device)
        ->type_name("DIR");
    add_json(backup);
    add_backup_keys(backup);
    backup->add_flag("--volatile", raw_.with_volatile, "The volatile state too");
    backup->add_flag("--replace", raw_.replace, "Also where FILE is there already");
    backup->add_option("--generations", raw_.generations, "Keep so many earlier ones as FILE.1 ...")
        ->check(CLI::Range(0u, kMostGenerations))
        ->default_str("0")
        ->type_name("N");
    CLI::App* restore = add_device_verb(state, Verb::state_restore, "restore",
                                        "Give a TPM the state of a backup; the one it has is lost");
    restore->add_option("FILE", raw_.file, "The backup")->required()->type_name("");
    add_backup_keys(restore);
    add_force(restore);
    CLI::Option* same = restore->add_flag("--same-identity", raw_.same_identity,
                                          "It goes on as the TPM that was backed up");
    restore->add_flag("--no-volatile", raw_.no_volatile, "Leave the backup's volatile state out")
        ->needs(same);
    restore
        ->add_flag("--fresh-identity", raw_.fresh_identity,
                   "It belongs to a clone: give it another endorsement key (TPM 2.0)")
        ->excludes(same);
  }

  void add_state() {
    CLI::App* state = app_.add_subcommand(
        "state", "A TPM's state: save, load, back up, restore; at rest: inspect, move, seal");
    state->require_subcommand(1);
    add_places(*state);
    add_backups(*state);
    CLI::App* save = add_device_verb(*state, Verb::state_save, "save",
                                     "Write state blobs of a powered-on TPM to files (secret!)");
    add_blob_files(save, "Write this blob there");
    save->add_flag("--decrypted", raw_.decrypted,
                   "Without the encryption of the TPM's own storage");
    add_json(save);
    add_blob_files(add_device_verb(*state, Verb::state_load, "load",
                                   "Give a powered-off TPM state blobs from files"),
                   "Load this blob from there");
    add_device_verb(*state, Verb::state_store_volatile, "store-volatile",
                    "Write the volatile state to the TPM's storage");
  }

  void add_send() {
    CLI::App* send =
        add_device_verb(app_, Verb::send, "send", "Send one command and print the response");
    send->add_option("HEX", hex_, "The command in hexadecimal, or - for that on standard input")
        ->required()
        ->check(check_hex)
        ->type_name("");
    send->add_option("--locality", locality_, "For this command only; default: the one set last")
        ->check(CLI::Range(0, 4))
        ->type_name("N");
    add_json(send);
  }

  CLI::App* add_instance_verb(Verb verb, const char* name, const char* about) {
    CLI::App* sub = add_verb(app_, verb, name, about);
    sub->add_option("NAME", raw_.device, "The virtual machine's name")
        ->required()
        ->check(check_name)
        ->type_name("");
    return sub;
  }

  CLI::App* add_instances_verb(Verb verb, const char* name, const char* about, const char* all) {
    CLI::App* sub = app_.add_subcommand(name, about);
    CLI::Option* names = sub->add_option("NAME", raw_.names, "The virtual machines' names");
    names->check(check_name)->type_name("...");
    choose_by(sub, verb, names, sub->add_flag("--all", raw_.all, all));
    return sub;
  }

  // One of the two has to be said.
  void choose_by(CLI::App* sub, Verb verb, CLI::Option* names, CLI::Option* all) {
    all->excludes(names);
    sub->callback([this, verb, names, all] {
      raw_.verb = verb;
      if (names->count() + all->count() == 0) {
        throw CLI::RequiredError(names->get_name() + ", or --all,");
      }
    });
  }

  void add_force(CLI::App* sub) {
    sub->add_flag("--force", raw_.force, "Also while a client has a node open");
  }

  void add_create() {
    CLI::App* create = add_instance_verb(
        Verb::create, "create", "Make a virtual TPM that this host keeps: configuration and state");
    for (auto& [key, value] : create_options_) {
      create->add_option("--" + key, value, said_of(kOptionsOfCreate, key))
          ->check(check_given)
          ->type_name("VALUE");
    }
    create
        ->add_option("--from", raw_.from,
                     "Take this state over: dir:PATH or linear:PATH of swtpm's, or file:PATH")
        ->type_name("LOCATION");
    add_key(create, "--from-key", raw_.from_key, "Where the key of --from comes from");
    create->add_option("--set", set_, "Any other option of vtpmd; may be said often")
        ->check([](const std::string& text) {
          bool assigns = text.find('=') != std::string::npos && text.front() != '=';
          return assigns ? std::string() : "'" + text + "' is not OPTION=VALUE";
        })
        ->type_name("OPTION=VALUE");
  }

  void add_instances() {
    add_create();
    add_instances_verb(Verb::start, "start", "Bring their devices up", "Every enabled one");
    add_force(add_instances_verb(Verb::stop, "stop",
                                 "Take their devices away; the TPMs are shut down in order",
                                 "Every one that runs"));
    add_force(
        add_instances_verb(Verb::restart, "restart", "Stop and start them", "Every one that runs"));
    add_instances_verb(Verb::enable, "enable", "Bring their devices up whenever CUSE is there",
                       "Every one");
    add_instances_verb(Verb::disable, "disable", "Not any more", "Every one");
    CLI::App* destroy = add_instance_verb(Verb::destroy, "destroy",
                                          "Stop it and remove configuration and state, for good");
    destroy->add_flag("--yes", raw_.yes, "Do not ask");
    add_force(destroy);
    destroy->add_flag("--keep-state", raw_.keep_state, "Leave the state where it is");
    add_instance_verb(Verb::spawn, "spawn", "Have udev start it, by an event that names it")
        ->add_flag("--remove", raw_.remove, "Have udev stop it");
    add_verb(app_, Verb::reap, "reap", "Stop those that a process opened last, which has ended")
        ->add_option("PID", raw_.process, "The process")
        ->required()
        ->check(CLI::Range(1u, UINT32_MAX))
        ->type_name("");
    add_instance_verb(Verb::forget, "forget", "For vtpm@.service")->group("");  // not in --help
    CLI::App* uevent = add_verb(app_, Verb::uevent, "uevent", "For udev's rules");
    uevent->group("");  // not in --help
    uevent->add_option("ENCODED", raw_.device)->required();
    uevent->add_flag("--remove", raw_.remove);
  }

  CLI::App app_;
  Arguments raw_;
  std::vector<std::pair<std::string, std::string>> create_options_ = {
      {"device", ""},       {"state", ""},         {"key", ""},          {"tpm", ""},
      {"power", ""},        {"owner", ""},         {"group", ""},        {"mode", ""},
      {"control-user", ""}, {"control-group", ""}, {"migration-key", ""}};
  std::vector<std::string> set_;
  std::string startup_;
  int locality_ = kNotGiven;
  int reset_ = kNotGiven;
  uint32_t buffer_size_ = 0;
  std::string version_;
  std::string hex_ = "-";
};

void collect_syntax(const CLI::App& app, const std::string& prefix,
                    std::vector<VerbSyntax>& syntax) {
  for (const CLI::App* sub : app.get_subcommands(nullptr)) {
    if (sub->get_group().empty()) {
      continue;
    }
    std::string verb = prefix + sub->get_name();
    if (!sub->get_subcommands(nullptr).empty()) {
      collect_syntax(*sub, verb + " ", syntax);
      continue;
    }
    VerbSyntax one{verb, {}};
    for (const CLI::Option* option : sub->get_options()) {
      if (!option->get_lnames().empty() && option != sub->get_help_ptr()) {
        one.options.push_back("--" + option->get_lnames().front());
      }
    }
    syntax.push_back(one);
  }
}

}  // namespace

ParsedArguments parse_command_line(int argc, const char* const* argv, std::ostream& out,
                                   std::ostream& err) {
  CommandLine line;
  bool json = std::any_of(argv + 1, argv + argc,
                          [](const char* word) { return std::string_view(word) == "--json"; });
  try {
    line.app().parse(argc, argv);
    return {line.arguments(), 0};
  } catch (const CLI::ParseError& error) {
    std::ostringstream complaint;
    int status = end_of_parsing(line.app(), error, out, complaint);
    std::string text = complaint.str();
    text.erase(text.find_last_not_of('\n') + 1);
    err << (json && status != 0 ? error_as_json({Errc::invalid, text}, status) : complaint.str());
    return {std::nullopt, status};
  }
}

std::optional<Bytes> parse_hex(std::string_view text) {
  Bytes bytes;
  std::optional<unsigned> high;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (!high && (std::isspace(byte) != 0 || c == ':')) {
      continue;
    }
    if (std::isxdigit(byte) == 0) {
      return std::nullopt;
    }
    unsigned digit = std::isdigit(byte) != 0 ? byte - '0' : (byte | 0x20u) - 'a' + 10;
    if (high) {
      bytes.push_back(static_cast<std::byte>(*high << 4 | digit));
      high.reset();
    } else {
      high = digit;
    }
  }
  return high || bytes.empty() ? std::nullopt : std::optional(bytes);
}

std::vector<VerbSyntax> command_line_syntax() {
  CommandLine line;
  std::vector<VerbSyntax> syntax;
  collect_syntax(line.app(), "", syntax);
  return syntax;
}

}  // namespace vtpm
