#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <iterator>
#include <ostream>

#include "ctl/config/settings.h"
#include "ctl/tool/cli/open_device.h"
#include "ctl/tool/cli/present_state.h"
#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/device/fresh_identity.h"
#include "ctl/tool/device/holder.h"
#include "ctl/tool/services/instances.h"
#include "ctl/tool/states/backup.h"
#include "ctl/tool/states/file_beside.h"
#include "ctl/tool/states/state_file.h"
#include "engine/command/response_codes.h"
#include "engine/state/file/state_file_format.h"

namespace vtpm::verb {
namespace {

// Of the daemon; none where no source is named.
Result<std::optional<SwtpmKey>> migration_key(const Arguments& arguments) {
  if (arguments.migration_key.empty()) {
    return std::nullopt;
  }
  auto key = read_swtpm_key(arguments.migration_key);
  return key ? Result<std::optional<SwtpmKey>>(std::move(*key)) : tl::unexpected(key.error());
}

const SwtpmKey* pointer_to(const std::optional<SwtpmKey>& key) {
  return key ? &*key : nullptr;
}

Location backup_file(const Arguments& arguments) {
  return {LocationKind::file, arguments.file};
}

void print_blobs(const std::vector<StoredBlob>& blobs, std::ostream& out) {
  for (const StoredBlob& blob : blobs) {
    out << in_words(blob.name) << ": " << blob.data.size() << " bytes\n";
  }
}

// Read once: a descriptor gives its key only once, and --all has many backups.
struct Keys {
  LocationKey backup;
  std::optional<SwtpmKey> daemon;
};

Result<Keys> read_keys(const Arguments& arguments) {
  auto backup = LocationKey::read(backup_file(arguments), arguments.key);
  auto daemon = backup ? migration_key(arguments) : tl::unexpected(backup.error());
  return daemon ? Result<Keys>(Keys{std::move(*backup), std::move(*daemon)})
                : tl::unexpected(daemon.error());
}

Result<std::vector<StoredBlob>> take_any(const std::string& asked, const Keys& keys,
                                         bool with_volatile, Host& host) {
  return take_present_state(asked, {}, pointer_to(keys.daemon), with_volatile, host)
      .map([&](PresentState&& state) {
        std::erase_if(state.blobs, [&](const StoredBlob& blob) {
          return !with_volatile && blob.name.kind != BlobKind::permanent;
        });
        return std::move(state.blobs);
      });
}

// Where `vtpmctl status` finds it. Who may not write there has made a backup nevertheless.
void record_backup(const std::string& asked, const Host& host) {
  auto instance = instance_called(asked, host.instances, host.paths);
  if (!instance) {
    return;
  }
  constexpr mode_t kForAll = 0755;
  ::mkdir(host.instances.last_backups().c_str(), kForAll);
  std::time_t now = std::time(nullptr);
  std::tm utc{};
  std::array<char, 32> text{};
  size_t size = ::gmtime_r(&now, &utc) == nullptr
                    ? 0
                    : std::strftime(text.data(), text.size(), "%FT%TZ\n", &utc);
  static_cast<void>(write_state_file(host.instances.last_backup_of(*instance),
                                     std::as_bytes(std::span(text.data(), size))));
}

Result<void> write_backup(const std::vector<StoredBlob>& state, const std::string& file,
                          const Arguments& arguments, const Keys& keys) {
  auto open = [&](const Location& place, CreateState create) {
    return open_location(place, keys.backup, create);
  };
  // A file that is there may be the state of another TPM: it is replaced when that is asked for.
  bool replace = arguments.replace || arguments.generations > 0;
  return put_state_file(
      state, {LocationKind::file, file}, replace ? Replace::always : Replace::never,
      Belongs::to_caller, open,
      [&](const std::string& path) { return shift_generations(path, arguments.generations); });
}

// To standard output: made in memory that has no name.
Result<void> print_backup(const std::vector<StoredBlob>& state, const Keys& keys, Host& host) {
  FileDescriptor memory(::memfd_create("vtpm-backup", MFD_CLOEXEC));
  if (!memory) {
    return system_failure("cannot make the backup in memory", errno);
  }
  Location place{LocationKind::file, path_of(memory)};
  auto store = open_location(place, keys.backup, CreateState::never);
  if (!store) {
    return tl::unexpected(store.error());
  }
  auto filled = (*store)->lock();
  for (const StoredBlob& blob : state) {
    filled = filled.and_then([&] { return (*store)->store(blob.name, blob.data); });
  }
  struct stat status {};
  if (!filled || ::fstat(memory.get(), &status) != 0) {
    return filled ? system_failure("cannot examine the backup", errno) : filled;
  }
  Bytes bytes(static_cast<size_t>(status.st_size));
  if (::pread(memory.get(), bytes.data(), bytes.size(), 0) != status.st_size) {
    return failure(Errc::io, "cannot read the backup in memory");
  }
  host.out.write(reinterpret_cast<const char*>(bytes.data()),  // NOLINT
                 static_cast<std::streamsize>(bytes.size()));
  host.out.flush();
  return host.out ? Result<void>() : failure(Errc::io, "cannot write to standard output");
}

// One TPM's, as it is told.
struct MadeBackup {
  std::string name;
  std::string file;
  Result<std::vector<StoredBlob>> blobs;
};

MadeBackup back_up(const std::string& name, const std::string& file, const Arguments& arguments,
                   const Keys& keys, Host& host) {
  auto state = take_any(name, keys, arguments.with_volatile, host);
  auto put = state ? (file == "-" ? print_backup(*state, keys, host)
                                  : write_backup(*state, file, arguments, keys))
                   : tl::unexpected(state.error());
  if (put) {
    record_backup(name, host);
  }
  return {name, file, put ? std::move(state) : tl::unexpected(put.error())};
}

Report as_report(const MadeBackup& made) {
  Report report;
  report.add("name", made.name).add("file", made.file).add("ok", made.blobs.has_value(), "");
  uint64_t bytes = 0;
  for (const StoredBlob& blob : made.blobs.value_or(std::vector<StoredBlob>())) {
    bytes += blob.data.size();
  }
  constexpr int kFailed = 1;
  return made.blobs ? report.add("bytes", bytes).add("exit_status", uint64_t{0})
                    : add_error(report, made.blobs.error(), kFailed);
}

std::string as_line(const MadeBackup& made) {
  return made.name + ": " +
         (made.blobs ? "backed up as " + made.file : "FAILED: " + made.blobs.error().message) +
         "\n";
}

Result<void> back_all_up(const Arguments& arguments, const Keys& keys, Host& host) {
  std::string failed;
  std::vector<Report> reports;
  Names names = list_instances(host.instances);
  if (names.empty()) {
    warn(arguments, host, "this host keeps no virtual TPM, and nothing was backed up");
  }
  for (const std::string& name : names) {
    MadeBackup made = back_up(name, arguments.directory + "/" + name, arguments, keys, host);
    reports.push_back(as_report(made));
    failed += made.blobs ? "" : " " + name;
    if (!arguments.json) {
      host.out << as_line(made) << std::flush;
    }
  }
  if (arguments.json) {
    host.out << json_array(reports);
  }
  return failed.empty() ? Result<void>() : failure(Errc::io, "not backed up:" + failed);
}

// All of it is read, and so checked, before the device is asked to do anything.
Result<std::vector<StoredBlob>> read_backup(const Arguments& arguments) {
  auto key = LocationKey::read(backup_file(arguments), arguments.key);
  if (!key) {
    return tl::unexpected(key.error());
  }
  return take_state_at(backup_file(arguments), *key);
}

Result<void> power_as_before(DeviceClient& device, const vtpm_status& before) {
  return before.phase == VTPM_PHASE_OFF ? device.call(request::stop).map([](const vtpm_result&) {})
                                        : device.call(request::init).map([](const vtpm_init&) {});
}

void print_certificates(const FreshIdentity& identity, Host& host) {
  host.out << "the endorsement seed is new; endorsement keys and their certificates have to be "
              "made again\n";
  for (uint32_t index : identity.removed) {
    host.out << "removed the NV index " << hex_number(index, 8) << "\n";
  }
  for (uint32_t index : identity.left) {
    host.out << "left the NV index " << hex_number(index, 8)
             << ", which the platform may not remove; it is the old key's\n";
  }
}

Result<void> refresh(const Arguments& arguments, DeviceClient& device, Host& host,
                     const vtpm_status& before) {
  auto identity = make_fresh_identity(device);
  if (!identity) {
    Error error = identity.error();
    error.message +=
        ". The TPM runs on the backup's state and may still have its identity: do not "
        "start the clone. Try again, the backup is as it was: vtpmctl state restore " +
        arguments.device + " " + arguments.file + " --fresh-identity";
    return tl::unexpected(error);
  }
  print_certificates(*identity, host);
  return power_as_before(device, before);
}

Result<void> restore_on(DeviceClient& device, const std::vector<StoredBlob>& backup,
                        const Arguments& arguments, Host& host) {
  auto daemons_key = migration_key(arguments);
  if (!daemons_key) {
    return tl::unexpected(daemons_key.error());
  }
  auto before = device.call(request::get_status);
  if (!before) {
    return tl::unexpected(before.error());
  }
  bool is_12 = before->version == VTPM_VERSION_1_2;
  if (is_12 && arguments.fresh_identity) {
    return tl::unexpected(device.error(
        Errc::unsupported, "a TPM 1.2 cannot be given another identity; nothing was changed"));
  }
  bool with_volatile = arguments.same_identity && !arguments.no_volatile;
  auto blobs =
      blobs_to_restore(backup, is_12 ? TpmVersion::tpm12 : TpmVersion::tpm20, with_volatile);
  if (!blobs) {
    return tl::unexpected(device.error(blobs.error().code, blobs.error().message));
  }
  auto free = arguments.force ? Result<void>() : check_not_held(device);
  if (!free) {
    return free;
  }
  auto restored = restore_backup(device, *blobs, pointer_to(*daemons_key));
  if (!restored) {
    return restored;
  }
  print_blobs(*blobs, host.out);
  auto done = arguments.fresh_identity ? refresh(arguments, device, host, *before) : restored;
  return done.map([&] { tell_phase(device, host); });
}

// What the other version has there. What this version has may be damaged: it is replaced.
Result<std::vector<StoredBlob>> others_at_rest(const RestingPlace& place, TpmVersion other,
                                               const Arguments& arguments) {
  auto blobs = take_blobs_at(place.where, place.key, other);
  if (blobs || blobs.error().code == Errc::not_found) {
    return blobs ? std::move(blobs) : std::vector<StoredBlob>();
  }
  Error error = blobs.error();
  error.message +=
      ". What the TPM of the other version has there could not be read and would be lost, so "
      "nothing was changed. To give it up: vtpmctl state import file:" +
      arguments.file + " " + arguments.device + " --replace";
  return tl::unexpected(error);
}

// Of a TPM that does not run: what the other version has there stays.
Result<void> restore_at_rest(const std::string& instance, const std::vector<StoredBlob>& backup,
                             const Arguments& arguments, Host& host) {
  if (arguments.fresh_identity) {
    return failure(Errc::wrong_phase, instance +
                                          " is stopped, and another identity takes a TPM that "
                                          "runs: vtpmctl start " +
                                          instance + ". Nothing was changed");
  }
  auto settings = read_settings(host.instances.configuration_of(instance));
  bool is_12 = settings && value_of(*settings, "tpm").value_or("2.0") == "1.2";
  TpmVersion version = is_12 ? TpmVersion::tpm12 : TpmVersion::tpm20;
  auto blobs = blobs_to_restore(backup, version, !arguments.no_volatile);
  auto place = blobs ? resting_place(instance, {}, host) : tl::unexpected(blobs.error());
  if (!place) {
    return tl::unexpected(place.error());
  }
  std::vector<StoredBlob> all = *blobs;
  auto others = others_at_rest(*place, is_12 ? TpmVersion::tpm20 : TpmVersion::tpm12, arguments);
  if (!others) {
    return tl::unexpected(others.error());
  }
  std::ranges::move(*others, std::back_inserter(all));
  auto open = [&](const Location& where, CreateState create) {
    return open_location(where, place->key, create);
  };
  auto put = put_state(all, place->where, Replace::always, open);
  if (put) {
    print_blobs(*blobs, host.out);
  }
  return put;
}

}  // namespace

Result<void> state_backup(const Arguments& arguments, Host& host) {
  auto keys = read_keys(arguments);
  if (!keys) {
    return tl::unexpected(keys.error());
  }
  if (!arguments.directory.empty()) {
    return back_all_up(arguments, *keys, host);
  }
  MadeBackup made = back_up(arguments.device, arguments.file, arguments, *keys, host);
  if (!made.blobs) {
    return tl::unexpected(made.blobs.error());
  }
  if (arguments.json && arguments.file != "-") {
    host.out << as_report(made).json();
  } else {
    print_blobs(*made.blobs, arguments.file == "-" ? host.err : host.out);
  }
  return {};
}

Result<void> state_restore(const Arguments& arguments, Host& host) {
  auto backup = read_backup(arguments);
  if (!backup) {
    return tl::unexpected(backup.error());
  }
  auto device = open_device(arguments.device, host);
  if (device) {
    return restore_on(*device, *backup, arguments, host);
  }
  auto instance = instance_called(arguments.device, host.instances, host.paths);
  bool rests = instance && device.error().code == Errc::not_found;
  return rests ? restore_at_rest(*instance, *backup, arguments, host)
               : tl::unexpected(device.error());
}

}  // namespace vtpm::verb
