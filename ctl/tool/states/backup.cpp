#include "ctl/tool/states/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ctl/tool/device/transfers.h"
#include "ctl/tool/states/file_beside.h"
#include "engine/state/file/state_file_scan.h"
#include "engine/state/swtpm/swtpm_blob.h"

namespace vtpm {
namespace {

// -- Taking --

Result<TpmVersion> version_of(DeviceClient& device) {
  return device.call(request::get_status).map([](const vtpm_status& status) {
    return status.version == VTPM_VERSION_1_2 ? TpmVersion::tpm12 : TpmVersion::tpm20;
  });
}

Result<StoredBlob> take_blob(DeviceClient& device, BlobName name, const SwtpmKey* key) {
  auto blob = get_state_blob(device, name.kind, true);
  auto data = blob ? unwrap_migration_blob(*blob, key) : tl::unexpected(blob.error());
  if (blob && !data) {
    return tl::unexpected(device.error(
        data.error().code, "the " + in_words(name) + " cannot be read: " + data.error().message +
                               ". --migration-key says where the daemon's migration key comes "
                               "from"));
  }
  return data ? Result<StoredBlob>({name, std::move(*data)}) : tl::unexpected(data.error());
}

// -- Generations --

std::string generation(const std::string& path, uint32_t number) {
  return number == 0 ? path : path + "." + std::to_string(number);
}

bool is_empty(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) != 0 || status.st_size == 0;
}

bool are_one_file(const std::string& a, const std::string& b) {
  struct stat status_a {};
  struct stat status_b {};
  return ::lstat(a.c_str(), &status_a) == 0 && ::lstat(b.c_str(), &status_b) == 0 &&
         status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino;
}

// A gap is what an interrupted shift has left; those behind it stay where they are.
uint32_t last_to_shift(const std::string& path, uint32_t generations) {
  uint32_t number = 1;
  while (number < generations && is_there(generation(path, number))) {
    ++number;
  }
  return number;
}

// The oldest is replaced: if it is one, and nobody runs a TPM on it.
Result<void> check_replaceable(const std::string& path) {
  if (!is_there(path)) {
    return {};
  }
  auto file = StorageFile::open(path, StorageFile::Access::write, CreateState::never);
  auto locked = file ? file->lock() : tl::unexpected(file.error());
  auto scan = locked ? scan_header(*file) : tl::unexpected(locked.error());
  if (!scan) {
    return tl::unexpected(scan.error());
  }
  return scan->formatting == Formatting::foreign
             ? failure(Errc::invalid, path + " is no backup of a TPM; it is not replaced")
             : Result<void>();
}

// A second name; where the file system has no such thing (FAT, SMB), its only one.
bool keep_as(const std::string& path, const std::string& youngest) {
  if (::linkat(AT_FDCWD, path.c_str(), AT_FDCWD, youngest.c_str(), 0) == 0) {
    return true;
  }
  bool no_links = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK;
  return no_links && ::renameat(AT_FDCWD, path.c_str(), AT_FDCWD, youngest.c_str()) == 0;
}

// -- Giving back --

// Says that there is no such blob, which is not the same as saying nothing: what is stored would be
// taken then. A first piece without bytes announces a write(), a second one ends it.
Result<void> give_none(DeviceClient& device, BlobKind kind) {
  for (int piece = 0; piece < 2; ++piece) {
    vtpm_set_state structure{};
    structure.req.type =
        kind == BlobKind::volatile_state ? VTPM_BLOB_TYPE_VOLATILE : VTPM_BLOB_TYPE_SAVESTATE;
    if (auto done = device.call(request::set_state, structure); !done) {
      return tl::unexpected(done.error());
    }
  }
  return {};
}

Result<void> give_blob(DeviceClient& device, const StoredBlob& blob, const SwtpmKey* key) {
  auto wrapped = wrap_migration_blob(blob.data, key);
  return wrapped ? set_state_blob(device, blob.name.kind, *wrapped)
                 : tl::unexpected(wrapped.error());
}

// All that a TPM of that version may go on from, whether the backup has it or not.
Result<void> give_blobs(DeviceClient& device, const std::vector<StoredBlob>& blobs,
                        const SwtpmKey* key) {
  TpmVersion version = blobs.front().name.version;
  for (BlobName name : all_blob_names()) {
    bool possible = name.version == version &&
                    (name.kind != BlobKind::savestate || version == TpmVersion::tpm12);
    if (!possible) {
      continue;
    }
    auto found = std::ranges::find(blobs, name, &StoredBlob::name);
    auto given =
        found == blobs.end() ? give_none(device, name.kind) : give_blob(device, *found, key);
    if (!given) {
      return given;
    }
  }
  return {};
}

tl::unexpected<Error> after(Error error, const std::string& what_now) {
  error.message += ". " + what_now;
  return tl::unexpected(error);
}

}  // namespace

Result<std::vector<StoredBlob>> take_backup(DeviceClient& device, bool with_volatile,
                                            const SwtpmKey* migration_key) {
  constexpr int kMostTries = 10;
  auto version = version_of(device);
  if (!version) {
    return tl::unexpected(version.error());
  }
  const BlobName permanent{*version, BlobKind::permanent};
  auto before = take_blob(device, permanent, migration_key);
  if (!before || !with_volatile) {
    return before.map([](StoredBlob& blob) { return std::vector{std::move(blob)}; });
  }
  for (int tries = 0; tries < kMostTries; ++tries) {
    auto blob = take_blob(device, {*version, BlobKind::volatile_state}, migration_key);
    auto behind = blob ? take_blob(device, permanent, migration_key) : tl::unexpected(blob.error());
    if (!behind) {
      return tl::unexpected(behind.error());
    }
    if (behind->data == before->data) {
      return std::vector{std::move(*before), std::move(*blob)};
    }
    before = std::move(behind);
  }
  return tl::unexpected(device.error(
      Errc::busy, "the TPM changed its permanent state " + std::to_string(kMostTries) +
                      " times while it was read; try again when less is written to it, or leave "
                      "--volatile out"));
}

Result<void> shift_generations(const std::string& path, uint32_t generations) {
  const std::string youngest = generation(path, 1);
  // One file under both names: an earlier shift was interrupted before the rename.
  if (generations == 0 || is_empty(path) || are_one_file(path, youngest)) {
    return {};
  }
  uint32_t last = last_to_shift(path, generations);
  if (auto possible = check_replaceable(generation(path, last)); !possible) {
    return possible;
  }
  for (uint32_t number = last; number > 1; --number) {
    std::string from = generation(path, number - 1);
    if (::renameat(AT_FDCWD, from.c_str(), AT_FDCWD, generation(path, number).c_str()) != 0) {
      return system_failure("cannot rename " + from, errno);
    }
  }
  bool stays = last == 1 && ::unlink(youngest.c_str()) != 0 && errno != ENOENT;
  if (stays || !keep_as(path, youngest)) {
    return system_failure("cannot keep " + path + " as " + youngest, errno);
  }
  return sync_directory_of(path);
}

Result<std::vector<StoredBlob>> blobs_to_restore(const std::vector<StoredBlob>& backup,
                                                 TpmVersion version, bool with_volatile) {
  std::vector<StoredBlob> blobs;
  for (const StoredBlob& blob : backup) {
    bool wanted = with_volatile || blob.name.kind == BlobKind::permanent;
    if (blob.name.version == version && wanted) {
      blobs.push_back(blob);
    }
  }
  if (blobs.empty() || blobs.front().name.kind != BlobKind::permanent) {
    std::string ours = version == TpmVersion::tpm20 ? "2.0" : "1.2";
    std::string other = version == TpmVersion::tpm20 ? "1.2" : "2.0";
    return failure(Errc::invalid, "the backup has no permanent state of a TPM " + ours +
                                      ", which the device is. To make it a TPM " + other +
                                      ": vtpmctl power off DEV, vtpmctl version DEV " + other);
  }
  return blobs;
}

Result<void> restore_backup(DeviceClient& device, const std::vector<StoredBlob>& blobs,
                            const SwtpmKey* migration_key) {
  const std::string& name = device.asked();
  if (auto stopped = device.call(request::stop); !stopped) {
    return after(stopped.error(), "Nothing was changed");
  }
  if (auto given = give_blobs(device, blobs, migration_key); !given) {
    return after(given.error(),
                 "The TPM is off and what it had is still stored: vtpmctl power on " + name +
                     " goes on from that");
  }
  // What is stored besides belongs to another permanent state.
  vtpm_init structure{};
  structure.req.init_flags = VTPM_INIT_FLAG_DELETE_VOLATILE;
  if (auto on = device.call(request::init, structure); !on) {
    return after(on.error(), "The TPM could not be powered on with the backup (vtpmctl status " +
                                 name +
                                 " says why). What it had is still stored: vtpmctl power on " +
                                 name + " goes on from that");
  }
  return {};
}

}  // namespace vtpm
