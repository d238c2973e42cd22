#include "ctl/tool/states/state_inspection.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "ctl/tool/device/transfers.h"
#include "ctl/tool/states/file_beside.h"
#include "ctl/tool/states/linear_store.h"
#include "ctl/tool/states/state_file.h"
#include "engine/base/trusted_path.h"
#include "engine/state/file/state_file_scan.h"
#include "engine/state/swtpm/dir_store.h"
#include "engine/state/swtpm/swtpm_blob.h"

namespace vtpm {
namespace {

std::string version_of(BlobName name) {
  return name.version == TpmVersion::tpm20 ? "2.0" : "1.2";
}

std::string in_hex(uint32_t number) {
  return hex_text(BigEndianWriter().u32(number).take());
}

// -- file: --

std::string seal_in_words(const SealParameters& seal) {
  switch (seal.kind) {
    case KeyKind::none:
      return "no";
    case KeyKind::raw:
      return "with a key (AES-256-GCM)";
    case KeyKind::passphrase:
      return "with a passphrase (AES-256-GCM; scrypt with N = 2^" +
             std::to_string(seal.cost.log2_n) + ", r = " + std::to_string(seal.cost.r) +
             ", p = " + std::to_string(seal.cost.p) + ")";
  }
  return {};
}

std::string seal_as_word(KeyKind kind) {
  if (kind == KeyKind::none) {
    return "no";
  }
  return kind == KeyKind::raw ? "key" : "passphrase";
}

void add_seal(Report& report, const SealParameters& seal) {
  report.add("sealed", seal_as_word(seal.kind), seal_in_words(seal));
  if (seal.kind == KeyKind::passphrase) {
    report.add_quietly("scrypt_log2_n", uint64_t{seal.cost.log2_n})
        .add_quietly("scrypt_r", uint64_t{seal.cost.r})
        .add_quietly("scrypt_p", uint64_t{seal.cost.p});
  }
}

// Of what cannot be read no version is told.
std::string version_in_words(const HeaderScan& scan) {
  return scan.formatting == Formatting::good ? ", version " + std::to_string(scan.header.version)
                                             : "";
}

void add_header(Report& report, const HeaderScan& scan) {
  if (scan.formatting == Formatting::damaged || scan.formatting == Formatting::newer) {
    bool newer = scan.formatting == Formatting::newer;
    report.add("header", newer ? "newer" : "damaged",
               (newer ? "newer: " : "damaged in either copy: ") + scan.reason);
    return;
  }
  report.add_quietly("version", uint64_t{scan.header.version});
  add_seal(report, scan.header.seal);
  report.add("key_epoch", in_hex(scan.header.epoch))
      .add("header", scan.other_is_good ? "good" : "one copy damaged",
           scan.other_is_good ? "good" : "one of two copies is damaged; the other counts");
}

std::string writer_in_words(uint32_t writer) {
  return writer == 0 ? "-" : libtpms_version_text(writer);
}

std::string condition_of(const BlobScan& scan, size_t slot) {
  const SlotScan& here = scan.slots.at(slot);
  switch (here.condition) {
    case SlotCondition::empty:
      return "empty";
    case SlotCondition::elsewhere:
      return "of another key";
    case SlotCondition::damaged:
      return "damaged: " + here.reason;
    case SlotCondition::unreadable:
      return "unreadable: " + here.reason;
    case SlotCondition::good:
      break;
  }
  if (scan.newest == slot) {
    return here.slot.removed ? "good: says that it was removed" : "good";
  }
  const Slot& newest = scan.slots.at(*scan.newest).slot;
  return newest.again && here.slot.sequence + 1 == newest.sequence ? "the same" : "older";
}

void add_blob(StateInspection& found, BlobName name, const BlobScan& scan) {
  Slot newest = scan.newest ? scan.slots.at(*scan.newest).slot : Slot{};
  found.writer = std::max(found.writer, newest.writer);
  std::vector<std::string> copies;
  for (size_t slot = 0; slot < kSlotsPerBlob; ++slot) {
    copies.push_back(condition_of(scan, slot));
  }
  Report report;
  report.add("tpm", version_of(name))
      .add("kind", std::string(name_of(name.kind)))
      .add("usable", scan.newest.has_value() && !newest.removed, "")
      .add("bytes", uint64_t{newest.length})
      .add("sequence", newest.sequence)
      .add("writer", writer_in_words(newest.writer))
      .add("copies", copies, "");
  found.blobs.push_back(report);
  found.rows.push_back({version_of(name), std::string(name_of(name.kind)),
                        std::to_string(newest.length), std::to_string(newest.sequence),
                        writer_in_words(newest.writer), copies.front(), copies.back()});
}

// A blob that was stored once has to be there; of the others nothing is told.
bool is_there(const HeaderScan& header, size_t blob, const BlobScan& scan) {
  bool committed = (header.header.committed >> blob & 1U) != 0;
  for (const SlotScan& slot : scan.slots) {
    committed = committed || slot.condition != SlotCondition::empty;
  }
  return committed;
}

Result<StateInspection> inspect_file(const Location& location) {
  auto file = StorageFile::open(location.path, StorageFile::Access::read, CreateState::never);
  auto size = file ? file->size() : tl::unexpected(file.error());
  auto header = size ? scan_header(*file) : tl::unexpected(size.error());
  if (!header) {
    return tl::unexpected(header.error());
  }
  if (header->formatting == Formatting::blank) {
    return failure(Errc::not_found, "there is no state in " + location.path + ": it is empty");
  }
  if (header->formatting == Formatting::foreign) {
    return failure(Errc::invalid, location.path + " holds something else than a TPM's state (" +
                                      header->reason + ")");
  }
  StateInspection found;
  found.whole.add("location", location.text())
      .add("format", "file", "state file of vtpmd" + version_in_words(*header));
  found.sealed = header->header.seal.kind != KeyKind::none;
  found.key_epoch = in_hex(header->header.epoch);
  add_header(found.whole, *header);
  found.whole.add("size", *size, std::to_string(*size) + " bytes");
  found.rows = {{"TPM", "BLOB", "BYTES", "NUMBER", "LIBTPMS", "COPY 1", "COPY 2"}};
  for (size_t blob = 0; blob < kBlobs; ++blob) {
    BlobScan scan = scan_blob(*file, blob, header->header.epoch);
    if (is_there(*header, blob, scan)) {
      add_blob(found, blob_name(blob), scan);
    }
  }
  return found;
}

// -- dir:, linear: --

struct SwtpmHeader {
  uint8_t version = 0;
  std::string encrypted;  // "no", "AES-128", "AES-256"
  std::string condition;  // "good", "damaged: ..."
};

// The ten bytes that every blob of swtpm's begins with.
SwtpmHeader read_swtpm_header(ByteView blob) {
  constexpr uint16_t kFlagKey256 = 0x08;
  auto protection = check_blob(blob);
  if (!protection) {
    return {0, "-", "damaged: " + protection.error().message};
  }
  BigEndianReader reader(blob);
  uint8_t version = reader.u8();
  reader.bytes(3);
  bool long_key = (reader.u16() & kFlagKey256) != 0;
  std::string cipher = long_key ? "AES-256" : "AES-128";
  return {version, protection->state_key ? cipher : "no", "good"};
}

void add_swtpm_blob(StateInspection& found, const std::string& version, BlobKind kind, size_t size,
                    const SwtpmHeader& header) {
  Report report;
  report.add("tpm", version)
      .add("kind", std::string(name_of(kind)))
      .add("bytes", uint64_t{size})
      .add("version", uint64_t{header.version})
      .add("encrypted", header.encrypted)
      .add("condition", header.condition);
  found.blobs.push_back(report);
  found.rows.push_back({version, std::string(name_of(kind)), std::to_string(size),
                        std::to_string(header.version), header.encrypted, header.condition});
}

std::vector<std::string> swtpm_headline() {
  return {"TPM", "BLOB", "BYTES", "VERSION", "ENCRYPTED", "CONDITION"};
}

Result<StateInspection> inspect_directory(const Location& location) {
  auto directory = open_trusted(location.path, O_PATH | O_DIRECTORY);
  if (!directory) {
    return directory.error().code == Errc::invalid
               ? tl::unexpected(directory.error())
               : system_failure("cannot open the state directory " + location.path, errno);
  }
  const std::string there = path_of(directory->fd);
  StateInspection found;
  found.whole.add("location", location.text()).add("format", "dir", "directory as swtpm's");
  found.rows = {swtpm_headline()};
  for (BlobName name : all_blob_names()) {
    auto content =
        read_state_file(there + "/" + swtpm_file_name(name), kLargestBlob)
            .map_error([&](const Error& error) { return called(error, there, location.path); });
    if (content) {
      add_swtpm_blob(found, version_of(name), name.kind, content->size(),
                     read_swtpm_header(*content));
    } else if (content.error().code == Errc::invalid) {
      add_swtpm_blob(found, version_of(name), name.kind, 0,
                     {0, "-", "damaged: " + content.error().message});
    } else if (content.error().code != Errc::not_found) {
      return tl::unexpected(content.error());
    }
  }
  if (found.blobs.empty()) {
    return failure(Errc::not_found, "there is no state in " + location.path);
  }
  return found;
}

// Nothing can be told of one that is encrypted.
std::string version_in(ByteView permanent) {
  auto data = unwrap_swtpm_blob(permanent, nullptr);
  auto version = data ? version_of_permanent(*data) : std::nullopt;
  return version ? version_of({*version, BlobKind::permanent}) : "-";
}

Result<StateInspection> inspect_linear(const Location& location) {
  auto file = StorageFile::open(location.path, StorageFile::Access::read, CreateState::never);
  auto content = file ? look_at_linear(*file) : tl::unexpected(file.error());
  auto bytes = content ? read_linear(*file) : tl::unexpected(content.error());
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  if (*content != LinearContent::linear) {
    bool blank = *content == LinearContent::blank;
    return failure(blank ? Errc::not_found : Errc::invalid,
                   blank ? "there is no state in " + location.path + ": it is empty"
                         : location.path + " is no linear file of swtpm's");
  }
  StateInspection found;
  found.whole.add("location", location.text()).add("format", "linear", "linear file as swtpm's");
  found.rows = {swtpm_headline()};
  std::string version = "-";
  for (BlobKind kind : {BlobKind::permanent, BlobKind::volatile_state, BlobKind::savestate}) {
    auto section = read_linear_file(*bytes, kind);
    if (section) {
      version = kind == BlobKind::permanent ? version_in(*section) : version;
      add_swtpm_blob(found, version, kind, section->size(), read_swtpm_header(*section));
    } else if (section.error().code != Errc::not_found) {
      found.whole.add("header", "damaged", "damaged: " + section.error().message);
      break;
    }
  }
  return found;
}

}  // namespace

Result<StateInspection> inspect_state(const Location& location) {
  switch (location.kind) {
    case LocationKind::file:
      return inspect_file(location);
    case LocationKind::directory:
      return inspect_directory(location);
    case LocationKind::linear:
      return inspect_linear(location);
  }
  return failure(Errc::unsupported, "no such format");
}

}  // namespace vtpm
