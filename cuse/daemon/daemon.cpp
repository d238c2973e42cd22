#include "cuse/daemon/daemon.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <optional>

#include "cuse/daemon/daemon_health.h"
#include "cuse/daemon/process.h"
#include "cuse/daemon/service_notifier.h"
#include "cuse/daemon/state_storage.h"
#include "cuse/daemon/storage_retry.h"
#include "cuse/daemon/tpm_log.h"
#include "cuse/nodes/control_node.h"
#include "cuse/nodes/host_root.h"
#include "cuse/nodes/managed_node.h"
#include "cuse/sandbox/own_descriptors.h"
#include "engine/base/inherited.h"
#include "engine/command/codec.h"
#include "engine/keys/crypto.h"
#include "engine/keys/swtpm_key.h"
#include "engine/state/late_store.h"
#include "engine/state/watched_store.h"
#include "engine/tpm/libtpms_engine.h"

namespace vtpm {
namespace {

std::string in_words(TpmVersion version) {
  return version == TpmVersion::tpm20 ? "TPM 2.0" : "TPM 1.2";
}

Result<SwtpmKey> open_migration_key(const Options& options) {
  return options.migration_key.empty() ? SwtpmKey() : read_swtpm_key(options.migration_key);
}

Result<void> set_buffer_size(VirtualTpm& tpm, uint32_t wanted) {
  auto sizes = tpm.buffer_size(wanted);
  if (!sizes) {
    return tl::unexpected(sizes.error());
  }
  if (sizes->size != wanted) {
    return failure(Errc::invalid, "--buffer-size " + std::to_string(wanted) +
                                      " is not possible: " + in_words(tpm.version()) + " takes " +
                                      std::to_string(sizes->min) + " to " +
                                      std::to_string(sizes->max));
  }
  return {};
}

// One that goes on from stored volatile state is started already.
Result<void> start_up(VirtualTpm& tpm, const Options& options) {
  auto started = options.startup && !tpm.started() ? tpm.startup(*options.startup) : Result<void>();
  return started.map_error([&](Error error) {
    if (error.code == Errc::tpm && options.startup == StartupType::state) {
      error.message +=
          ". Where nothing can be resumed (the last end was not in order, or PCR banks were "
          "changed since), --startup clear starts it";
    }
    return error;
  });
}

// Whether a Startup failed for want of storage alone: a full disk may have room later.
bool may_succeed_later(const Error& error) {
  return error.code == Errc::tpm &&
         (error.tpm_result == static_cast<uint32_t>(rc::nv_unavailable) ||
          error.tpm_result == static_cast<uint32_t>(rc::tpm12_retry));
}

// A TPM whose state cannot be used gets its node all the same, so that it can be seen and mended;
// one whose state has to exist and does not is a mistake of whoever started it. True: all is done;
// false: to be tried again.
Result<bool> power_on(VirtualTpm& tpm, const Options& options) {
  auto on = tpm.power_on();
  if (!on && tpm.waits_for_storage()) {
    return false;
  }
  if (!on) {
    return on.error().code == Errc::not_found ? tl::unexpected(on.error()) : Result<bool>(true);
  }
  auto started = start_up(tpm, options);
  if (!started && may_succeed_later(started.error())) {
    return false;
  }
  return started.map([] { return true; });
}

// What can be refused before there is a node. The state is not read: whoever wrote it may be
// hostile.
Result<void> reserve(VirtualTpm& tpm, const Options& options) {
  if (!options.control.incoming && !options.state.wait) {
    auto acting = ActingAs::begin(options.run_as);
    auto locked = acting ? tpm.lock_storage() : tl::unexpected(acting.error());
    if (!locked) {
      return tl::unexpected(
          explain_refusal(locked.error(), options.state.location, options.run_as));
    }
  }
  return options.buffer_size != 0 ? set_buffer_size(tpm, options.buffer_size) : Result<void>();
}

// With a response, be it that it is off; docs/decisions/0016 says why not through its node.
Result<void> check_answers(VirtualTpm& tpm) {
  Bytes response = tpm.execute(probe_command(tpm.version()));
  auto header = parse_response_header(response);
  if (!header || header->size != response.size()) {
    return failure(Errc::io, "the TPM gives no well-formed response");
  }
  return {};
}

std::string in_words(const CreatedDevice& device, const Options& options) {
  return in_words(options.tpm) + " on /dev/" + device.raw.name + " (" +
         std::to_string(device.raw.numbers.major) + ":" + std::to_string(device.raw.numbers.minor) +
         "), state in " + options.state.location.describe() + ", libtpms " + libtpms_version();
}

// One line, which service managers and vtpmctl show.
std::string status_of_failed(std::string reason) {
  std::ranges::replace(reason, '\n', ' ');
  return "failed: " + reason;
}

Result<void> describe_nodes(const Options& options, const std::string& raw) {
  const std::string directory = InstancePaths().run + "/devices";
  struct Described {
    std::string node;
    NodeProperties properties;
  };
  for (const auto& [node, properties] : {
           Described{raw, {options.name, "raw", options.permissions}},
           Described{managed_name(raw), {options.name, "managed", options.managed_permissions}},
           Described{control_name(raw), {options.name, "control", options.control_permissions}},
       }) {
    if (auto described = write_node_properties(directory, node, properties); !described) {
      return described;
    }
  }
  return {};
}

// Of whoever uses TPMs on this host; udev's rules leave the node to root without a word.
void tell_who_may_use(const Options& options) {
  const NodePermissions& managed = options.managed_permissions;
  bool theirs = managed.owner.empty() && managed.group.empty();
  bool known = getpwnam("tss") != nullptr;      // NOLINT: no thread yet
  known = known || getgrnam("tss") != nullptr;  // NOLINT: no thread yet
  bool nobody = theirs && !known;
  if (options.resource_manager && nobody) {
    log::info(
        "there is no user tss on this host: the managed node is root's. --rm-owner and --rm-group "
        "say whose it is");
  }
}

// What is served: the TPM, where its state is kept, how that does, and the keys to it.
struct ServedState {
  Engine& engine;
  StateStore& store;
  const DaemonHealth& health;  // hears of the store what it takes
  const StateKeys& keys;
  const SwtpmKey* migration_key;
};

// What lives while a TPM is served. Made from top to bottom, ended from bottom to top.
class ServedTpm final : private Surroundings, private TpmListener {
 public:
  ServedTpm(const Options& options, const ServedState& state, const Lifetime& lifetime)
      : options_(options),
        lifetime_(lifetime),
        health_(state.health),
        tpm_(state.engine, state.store, backoff_,
             {options.auto_shutdown, options.state.wait, options.resources}),
        dispatcher_({.tpm = tpm_,
                     .surroundings = *this,
                     .policy = options.control,
                     .migration_key = state.migration_key,
                     .file_key = state.keys.swtpm.empty() ? nullptr : &state.keys.swtpm,
                     .sealed = !state.keys.empty()},
                    strand_, clock_),
        control_(dispatcher_),
        control_node_(control_, options.access),
        managed_node_({tpm_, strand_, control_, clock_}),
        raw_node_({tpm_, strand_, control_, clock_,
                   options.power == InitialPower::at_open ? PowerSwitch::at_open
                                                          : PowerSwitch::independent,
                   options.access}) {
    tpm_.add_listener(log_);
    tpm_.add_listener(*this);
    retry_.start([this] {
      strand_.run([this] { catch_up(); }, Precedence::first);
      return true;
    });
  }

  // A command that runs is told to end, those that wait are answered; TPM2_Shutdown makes the state
  // safe; then the nodes go. An attempt to store again that comes in between finds an ended TPM.
  ~ServedTpm() override {
    tpm_.end();
    retry_.stop();
    for (CreatedNode* node : nodes()) {
      node->session->stop();
    }
    clock_.stop();
  }

  // Told of what the TPM is, in a line, whenever it fails or is powered on. Before make_nodes().
  void tell_status(std::function<void(const std::string& status)> tell) {
    tell_status_ = std::move(tell);
  }
  // Why the TPM cannot be used; nothing when it can.
  [[nodiscard]] std::optional<std::string> failed() const {
    return tpm_.phase() == Phase::failed ? std::optional(tpm_.failure_reason()) : std::nullopt;
  }

  // With the privileges the daemon was started with. Whoever opens a node waits until it is served.
  Result<const CreatedDevice*> make_nodes() {
    if (auto reserved = reserve(tpm_, options_); !reserved) {
      return tl::unexpected(reserved.error());
    }
    DeviceRequest request = options_.device;
    request.prepare = [this](const std::string& raw) { return describe_nodes(options_, raw); };
    auto device = create_device(
        request, DeviceRegistry(),
        {raw_node_, control_node_, options_.resource_manager ? &managed_node_ : nullptr});
    if (!device) {
      return tl::unexpected(device.error());
    }
    device_ = std::move(*device);
    uevent_ = DeviceRegistry().open_uevent(device_->raw.name);
    tell_who_may_use(options_);
    return &*device_;
  }

  // In the sandbox: from here on the TPM's state and clients' requests are read. After
  // make_nodes().
  Result<void> begin_to_serve() {
    if (options_.power == InitialPower::on) {
      auto on = power_on(tpm_, options_);
      if (!on) {
        return tl::unexpected(on.error());
      }
      if (!*on) {
        startup_due_ = true;
        log::warning(tpm_.waits_for_storage()
                         ? "waiting for the state: " + tpm_.failure_reason()
                         : std::string("the TPM is on and not started; trying again until its "
                                       "storage takes it"));
      }
    }
    // While nobody else can ask: nobody can keep it from answering, or be taken for its user.
    if (auto answers = check_answers(tpm_); !answers) {
      return answers;
    }
    if (options_.state.wait || startup_due_) {
      retry_.wake();
    }
    for (CreatedNode* node : nodes()) {
      node->session->serve([this] { lifetime_.request_end(EndReason::channel_lost); });
    }
    return {};
  }

 private:
  // Those that were made, the raw one last.
  std::vector<CreatedNode*> nodes() {
    std::vector<CreatedNode*> made;
    if (device_) {
      made.push_back(&device_->control);
      if (device_->managed) {
        made.push_back(&*device_->managed);
      }
      made.push_back(&device_->raw);
    }
    return made;
  }

  // On the strand, twice a second while there is something that may become possible later: what
  // could not be done at the start, or at an INIT.
  void catch_up() {
    auto on = tpm_.power_on_if_waiting();
    if (on && *on) {
      log::info("the state in " + options_.state.location.describe() + " is there now");
      startup_due_ = options_.power == InitialPower::on;
    }
    // Whoever has powered or started it meanwhile knows what comes next.
    bool stored = tpm_.store_unstored();
    bool waits = tpm_.waits_for_storage();
    startup_due_ = startup_due_ && (waits || tpm_.state() == TpmState::on);
    if (startup_due_ && !waits) {
      auto started = start_up(tpm_, options_);
      startup_due_ = !started && may_succeed_later(started.error());
    }
    if (!stored || startup_due_ || options_.state.wait) {
      retry_.wake();
    }
  }

  // The same is not told again: a client can cause it as often as it likes.
  void on_state_change(TpmState state, Event /*event*/, const std::string& reason) override {
    if (state == TpmState::failed && told_failed_ != reason) {
      told_failed_ = reason;
      tell_status_(status_of_failed(reason));
    } else if (phase_of(state) == Phase::on && told_failed_) {
      told_failed_.reset();
      tell_status_(in_words(*device_, options_));
    }
  }
  void on_unstored(Unstored what, const std::string& /*reason*/) override {
    if (what == Unstored::kept) {
      retry_.wake();
    }
  }

  void end_daemon() override { lifetime_.request_end(EndReason::requested); }
  [[nodiscard]] bool raw_node_in_use() const override { return raw_node_.in_use(); }
  [[nodiscard]] RawNodeOpener raw_node_opener() const override { return raw_node_.opener(); }
  [[nodiscard]] std::chrono::seconds uptime() const override { return health_.uptime(); }
  [[nodiscard]] std::optional<StorageFailure> storage_failure() const override {
    return health_.storage_failure();
  }

  // A change uevent for the raw node: whoever listens to udev probes it again.
  void announce_version_change() override {
    constexpr std::string_view kChange = "change";
    if (!uevent_ || write(uevent_.get(), kChange.data(), kChange.size()) < 0) {
      log::warning("cannot announce the change of the TPM's version to udev");
    }
  }

  const Options& options_;
  const Lifetime& lifetime_;
  const DaemonHealth& health_;
  TpmLog log_;
  RealBackoff backoff_;
  VirtualTpm tpm_;
  Strand strand_;
  RealAlarmClock clock_;
  ControlDispatcher dispatcher_;
  IoctlControl control_;
  ControlNode control_node_;
  ManagedNode managed_node_;
  RawNode raw_node_;
  FileDescriptor uevent_;
  std::function<void(const std::string&)> tell_status_ = [](const std::string&) {};
  std::optional<std::string> told_failed_;  // the reason
  std::optional<CreatedDevice> device_;
  std::atomic<bool> startup_due_ = false;
  StorageRetry retry_;
};

// The daemon's ties to whoever started it. Made while it may do anything, used from within the
// sandbox.
struct Outside {
  std::optional<Background>& background;
  ServiceNotifier notifier;
  std::optional<PidFile> pid_file;
};

Result<Outside> tie(const Options& options, std::optional<Background>& background) {
  Outside outside{background, ServiceNotifier::connect(), std::nullopt};
  if (!options.pid_file.empty()) {
    auto file = PidFile::create(options.pid_file, options.run_as);
    if (!file) {
      return tl::unexpected(file.error());
    }
    outside.pid_file.emplace(std::move(*file));
  }
  if (background) {
    log::connect_syslog();
  }
  return outside;
}

// `failed`: why the TPM cannot be used, if so. It has been logged.
Result<void> announce(const CreatedDevice& device, const Options& options, Outside& outside,
                      const std::optional<std::string>& failed) {
  if (outside.pid_file) {
    if (auto filled = outside.pid_file->fill(); !filled) {
      return filled;
    }
  }
  if (options.device.name.empty()) {
    std::string line = "/dev/" + device.raw.name + "\n";
    static_cast<void>(!write(STDOUT_FILENO, line.data(), line.size()));
  }
  if (outside.background) {
    log::use_syslog();
  }
  std::string summary = in_words(device, options);
  log::info(summary);
  outside.notifier.tell("READY=1\nSTATUS=" + (failed ? status_of_failed(*failed) : summary));
  if (outside.background) {
    outside.background->announce(failed ? Background::Verdict::tpm_failed
                                        : Background::Verdict::ready);
  }
  return {};
}

Result<void> lock_in(const Options& options) {
  auto entered = enter_sandbox({.mode = options.sandbox,
                                .run_as = options.run_as,
                                .state = reachable_path(options.state),
                                .tell_refused = log::error_from_signal_handler,
                                .reconnects = log::syslog_descriptor()});
  if (!entered) {
    return tl::unexpected(entered.error());
  }
  if (options.sandbox != SandboxMode::on) {
    log::warning(options.sandbox == SandboxMode::off
                     ? "--sandbox off: files and system calls are not restricted"
                     : "--sandbox log: system calls are not restricted, only logged by the kernel");
  } else if (*entered == FilesRestricted::not_in_this_kernel) {
    log::debug("this kernel has no Landlock: files are restricted by their permissions alone");
  }
  if (!can_recognise_root()) {
    log::warning(
        "/proc hides the processes of others here (hidepid), so root cannot be told from root of a "
        "container: nobody but --control-user and --control-group may control this TPM");
  }
  return {};
}

Result<void> verdict_on(EndReason reason) {
  if (reason == EndReason::channel_lost) {
    return failure(Errc::io, "the kernel closed the device's CUSE channel; the state is safe");
  }
  log::info(reason == EndReason::signal ? "ended by a signal" : "ended by a control request");
  return {};
}

// A new TPM, powered on once so that it is stored; made by and for the user that will serve it. A
// state that is there already is read in the sandbox, as by a daemon: whoever wrote it may be
// hostile.
Result<void> make_state(Options options) {
  options.state.create = CreateState::if_missing;
  options.state.wait = false;
  auto keys = read_state_keys(key_form(options.state.location.format), options.key);
  if (!keys) {
    return tl::unexpected(keys.error());
  }
  auto store = make_directory_of(options.state.location, options.run_as).and_then([&] {
    return open_state(options.state, *keys, options.run_as);
  });
  if (!store) {
    return tl::unexpected(store.error());
  }
  auto engine = LibtpmsEngine::create({options.tpm, true, options.profile}, **store);
  if (!engine) {
    return tl::unexpected(engine.error());
  }
  if (auto inside = lock_in(options); !inside) {
    return inside;
  }
  RealBackoff backoff;
  VirtualTpm tpm(**engine, **store, backoff);
  if (auto on = tpm.power_on(); !on) {
    return on;
  }
  tpm.end();
  return {};
}

// By the user who opened it: its directory may be closed to root without capabilities.
std::string path_of_state(const Options& options) {
  const std::string& path = options.state.location.path;
  auto acting = ActingAs::begin(options.run_as);
  std::error_code unreachable;
  auto followed = std::filesystem::weakly_canonical(path, unreachable);
  return unreachable ? path : followed.string();
}

// What is open when the sandbox is entered.
OwnDescriptors own_descriptors(const Options& options, const Lifetime& lifetime,
                               const Outside& outside) {
  OwnDescriptors own{lifetime.descriptors(),
                     {"/dev/cuse", "/dev/null", "/sys/devices/virtual/cuse", options.pid_file,
                      path_of_state(options)}};
  own.numbers.push_back(outside.notifier.descriptor());
  own.numbers.push_back(log::syslog_descriptor());
  if (outside.background) {
    std::ranges::copy(outside.background->descriptors(), std::back_inserter(own.numbers));
  }
  return own;
}

// The turning point of the daemon's life: what needs privileges, the sandbox, what meets strangers.
Result<EndReason> run(ServedTpm& served, const Options& options, const Lifetime& lifetime,
                      Outside& outside) {
  auto device = served.make_nodes();
  if (!device) {
    return tl::unexpected(device.error());
  }
  if (auto own = check_descriptors(own_descriptors(options, lifetime, outside)); !own) {
    return tl::unexpected(own.error());
  }
  if (auto inside = lock_in(options); !inside) {
    return tl::unexpected(inside.error());
  }
  if (auto serving = served.begin_to_serve(); !serving) {
    return tl::unexpected(serving.error());
  }
  if (auto announced = announce(**device, options, outside, served.failed()); !announced) {
    return tl::unexpected(announced.error());
  }
  EndReason reason = lifetime.wait();
  outside.notifier.tell("STOPPING=1");
  return reason;
}

// What OpenSSL's providers have opened would stay open in the sandbox.
Result<void> begin_crypto(const Options& options) {
  const std::string& configuration = options.openssl_configuration;
  if (auto loaded = load_crypto(configuration); !loaded) {
    return loaded;
  }
  auto own = check_descriptors({descriptors_named_in({options.key, options.migration_key}), {}});
  return own.map_error([&](Error error) {
    error.message += configuration.empty()
                         ? std::string(": opened by a library when OpenSSL was loaded")
                         : ": the OpenSSL configuration " + configuration +
                               " (--openssl-config) names a provider that opens it. vtpmd keeps "
                               "no devices of others: take that provider out";
    return error;
  });
}

// From here on in the process that serves.
Result<void> serve(const Options& options, std::optional<Background>& background) {
  auto lifetime = Lifetime::begin();
  if (!lifetime) {
    return tl::unexpected(lifetime.error());
  }
  if (auto possible = check_cuse(); !possible) {
    return possible;
  }
  auto keys = read_state_keys(key_form(options.state.location.format), options.key);
  if (!keys) {
    return tl::unexpected(keys.error());
  }
  // Before any file is opened: descriptors that options name have their numbers for themselves.
  auto key = open_migration_key(options);
  if (!key) {
    return tl::unexpected(key.error());
  }
  auto store = open_state(options.state, *keys, options.run_as);
  if (!store) {
    return tl::unexpected(store.error());
  }
  DaemonHealth health;
  WatchedStore watched(**store, [&](const Result<void>& outcome) { health.note_storage(outcome); });
  bool may_manufacture = options.state.create == CreateState::if_missing;
  auto engine = LibtpmsEngine::create({options.tpm, may_manufacture, options.profile}, watched);
  if (!engine) {
    return tl::unexpected(engine.error());
  }
  auto outside = tie(options, background);
  if (!outside) {
    return tl::unexpected(outside.error());
  }
  const SwtpmKey* migration_key = key->empty() ? nullptr : &*key;
  ServedState state{**engine, watched, health, *keys, migration_key};
  std::optional<ServedTpm> served(std::in_place, options, state, *lifetime);
  served->tell_status(
      [&](const std::string& status) { outside->notifier.tell("STATUS=" + status); });
  auto reason = run(*served, options, *lifetime, *outside);
  served.reset();
  return reason ? verdict_on(*reason) : tl::unexpected(reason.error());
}

}  // namespace

Result<void> check_usage(const Options& options) {
  LateStore none([] { return failure(Errc::unsupported, "no state is needed"); }, "no state");
  auto engine = LibtpmsEngine::create({options.tpm, false, options.profile}, none);
  if (!engine) {
    return tl::unexpected(engine.error());
  }
  RealBackoff backoff;
  VirtualTpm tpm(**engine, none, backoff);
  return options.buffer_size != 0 ? set_buffer_size(tpm, options.buffer_size) : Result<void>();
}

Result<void> run_daemon(const Options& options) {
  harden_process();
  if (auto loaded = begin_crypto(options); !loaded) {
    return loaded;
  }
  if (options.task != RunTask::serve) {
    return options.task == RunTask::make_state ? make_state(options) : Result<void>();
  }
  std::optional<Background> background;
  if (options.daemon) {
    auto entered = Background::enter();
    if (!entered) {
      return tl::unexpected(entered.error());
    }
    background = std::move(*entered);
  }
  return serve(options, background);
}

}  // namespace vtpm
