#include <ostream>

#include "ctl/tool/backup.h"
#include "ctl/tool/fresh_identity.h"
#include "ctl/tool/response_codes.h"
#include "ctl/tool/verbs.h"
#include "engine/state_file_format.h"

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

void print_blobs(const std::vector<StoredBlob>& blobs, Host& host) {
  for (const StoredBlob& blob : blobs) {
    host.out << in_words(blob.name) << ": " << blob.data.size() << " bytes\n";
  }
}

// All of it is read, and so checked, before the device is asked to do anything.
Result<std::vector<StoredBlob>> read_backup(const Arguments& arguments) {
  auto key = LocationKey::read(backup_file(arguments), arguments.key);
  if (!key) {
    return tl::unexpected(key.error());
  }
  auto store = open_source(backup_file(arguments), *key);
  return store ? take_state(**store) : tl::unexpected(store.error());
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

}  // namespace

Result<void> state_backup(const Arguments& arguments, DeviceClient& device, Host& host) {
  auto key = LocationKey::read(backup_file(arguments), arguments.key);
  auto daemons_key = migration_key(arguments);
  if (!key || !daemons_key) {
    return tl::unexpected(key ? daemons_key.error() : key.error());
  }
  auto state = take_backup(device, arguments.with_volatile, pointer_to(*daemons_key));
  if (!state) {
    return tl::unexpected(state.error());
  }
  auto open = [&](const Location& place, CreateState create) {
    return open_location(place, *key, create);
  };
  // A file that is there may be the state of another TPM: it is replaced when that is asked for.
  bool replace = arguments.replace || arguments.generations > 0;
  auto put = put_state_file(
      *state, backup_file(arguments), replace ? Replace::always : Replace::never, open,
      [&] { return shift_generations(arguments.file, arguments.generations); });
  if (put) {
    print_blobs(*state, host);
  }
  return put;
}

Result<void> state_restore(const Arguments& arguments, DeviceClient& device, Host& host) {
  auto backup = read_backup(arguments);
  auto daemons_key = migration_key(arguments);
  if (!backup || !daemons_key) {
    return tl::unexpected(backup ? daemons_key.error() : backup.error());
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
      blobs_to_restore(*backup, is_12 ? TpmVersion::tpm12 : TpmVersion::tpm20, with_volatile);
  if (!blobs) {
    return tl::unexpected(device.error(blobs.error().code, blobs.error().message));
  }
  auto restored = restore_backup(device, *blobs, pointer_to(*daemons_key));
  if (!restored) {
    return restored;
  }
  print_blobs(*blobs, host);
  return arguments.fresh_identity ? refresh(arguments, device, host, *before) : restored;
}

}  // namespace vtpm::verb
