#include "ctl/tool/device/transfers.h"

#include <algorithm>
#include <cstring>

#include "engine/command/codec.h"

namespace vtpm {
namespace {

constexpr uint16_t kBlobHeaderSize = 10;
constexpr uint16_t kFlagStateKey = 0x01;
constexpr uint16_t kFlagMigrationKey = 0x02;

uint32_t abi_type(BlobKind kind) {
  switch (kind) {
    case BlobKind::permanent:
      return VTPM_BLOB_TYPE_PERMANENT;
    case BlobKind::volatile_state:
      return VTPM_BLOB_TYPE_VOLATILE;
    default:
      return VTPM_BLOB_TYPE_SAVESTATE;
  }
}

// Puts together something that a device hands out in pieces.
class Assembly {
 public:
  Assembly(const DeviceClient& device, std::string what, size_t largest)
      : device_(device), what_(std::move(what)), largest_(largest) {}

  // `piece_room` is what the structure has space for, `total` and `length` are the device's words.
  Result<void> add(const void* piece, size_t piece_room, uint32_t total, uint32_t length) {
    if (total > largest_) {
      return contradiction("says it has " + std::to_string(total) + " bytes, more than the " +
                           std::to_string(largest_) + " that are possible");
    }
    if (total_ && *total_ != total) {
      return contradiction("changed its size from " + std::to_string(*total_) + " to " +
                           std::to_string(total) + " bytes within the transfer");
    }
    if (length > piece_room || length > total - bytes_.size() || (length == 0 && total != 0)) {
      return contradiction("came in a piece of " + std::to_string(length) + " bytes at " +
                           std::to_string(bytes_.size()) + " of " + std::to_string(total));
    }
    total_ = total;
    const auto* begin = static_cast<const std::byte*>(piece);
    bytes_.insert(bytes_.end(), begin, begin + length);
    return {};
  }

  [[nodiscard]] bool complete() const { return total_ && bytes_.size() == *total_; }
  [[nodiscard]] uint32_t offset() const { return static_cast<uint32_t>(bytes_.size()); }
  [[nodiscard]] Bytes take() { return std::move(bytes_); }

 private:
  [[nodiscard]] Result<void> contradiction(const std::string& message) const {
    return tl::unexpected(device_.error(
        Errc::corrupt, "the device's answers do not fit together: " + what_ + " " + message));
  }

  const DeviceClient& device_;
  std::string what_;
  size_t largest_;
  std::optional<uint32_t> total_;
  Bytes bytes_;
};

// "There is none" has one code with other refusals; say which blob it was and what that means.
Error get_state_error(const DeviceClient& device, BlobKind kind, Error error) {
  if (error.tpm_result != VTPM_RESULT_RETRY) {
    return error;
  }
  std::string why = kind == BlobKind::savestate ? "; only a TPM 1.2 has one, after TPM_SaveState"
                                                : "; try again when the TPM is idle";
  return device.error(Errc::not_found,
                      "there is no " + std::string(name_of(kind)) + " state to save" + why,
                      error.tpm_result);
}

Error set_state_error(BlobKind kind, Error error) {
  error.message += "; the " + std::string(name_of(kind)) + " blob was not taken";
  if (error.tpm_result == VTPM_RESULT_RETRY && kind != BlobKind::permanent) {
    error.message += ": the permanent blob that it belongs to has to be loaded before it";
  }
  return error;
}

Result<void> check_response(const DeviceClient& device, ByteView response) {
  auto header = parse_response_header(response);
  if (!header || header->size != response.size()) {
    return tl::unexpected(
        device.error(Errc::corrupt, "the response of " + std::to_string(response.size()) +
                                        " bytes is not as long as its header says"));
  }
  return {};
}

Result<vtpm_hash_data> send_hash_piece(DeviceClient& device, ByteView piece) {
  vtpm_hash_data structure{};
  structure.req.length = static_cast<uint32_t>(piece.size());
  std::ranges::copy(piece, std::as_writable_bytes(std::span(structure.req.data)).begin());
  return device.call(request::hash_data, structure);
}

}  // namespace

std::string_view name_of(BlobKind kind) {
  switch (kind) {
    case BlobKind::permanent:
      return "permanent";
    case BlobKind::volatile_state:
      return "volatile";
    default:
      return "savestate";
  }
}

Result<BlobProtection> check_blob(ByteView blob) {
  BigEndianReader reader(blob);
  reader.u16();  // version, min_version: the daemon knows what it can read
  uint16_t header_size = reader.u16();
  uint16_t flags = reader.u16();
  uint32_t total = reader.u32();
  if (!reader.ok() || header_size != kBlobHeaderSize) {
    return failure(Errc::corrupt, "this is not a TPM state blob");
  }
  if (total != blob.size()) {
    return failure(Errc::corrupt, "its header says " + std::to_string(total) + " bytes, it has " +
                                      std::to_string(blob.size()) + ": it was cut or damaged");
  }
  return BlobProtection{(flags & kFlagStateKey) != 0, (flags & kFlagMigrationKey) != 0};
}

Result<Bytes> get_state_blob(DeviceClient& device, BlobKind kind, bool decrypted) {
  Assembly blob(device, "the " + std::string(name_of(kind)) + " blob", kLargestBlob);
  do {
    vtpm_get_state structure{};
    structure.req.state_flags = decrypted ? VTPM_STATE_FLAG_DECRYPTED : 0;
    structure.req.type = abi_type(kind);
    structure.req.offset = blob.offset();
    auto answer = device.call(request::get_state, structure);
    if (!answer) {
      return tl::unexpected(get_state_error(device, kind, answer.error()));
    }
    const auto& piece = answer->resp;
    if (auto added = blob.add(piece.data, sizeof piece.data, piece.totlength, piece.length);
        !added) {
      return tl::unexpected(added.error());
    }
  } while (!blob.complete());
  Bytes bytes = blob.take();
  if (auto checked = check_blob(bytes); !checked) {
    return tl::unexpected(device.error(Errc::corrupt, "the device gave no usable " +
                                                          std::string(name_of(kind)) +
                                                          " blob: " + checked.error().message));
  }
  return bytes;
}

Result<void> set_state_blob(DeviceClient& device, BlobKind kind, ByteView blob) {
  auto protection = check_blob(blob);
  if (!protection) {
    return tl::unexpected(protection.error());
  }
  vtpm_set_state structure{};
  bool more = true;
  while (more) {
    // A full piece says that more comes, so a blob that ends with one is followed by an empty one.
    ByteView piece = blob.first(std::min<size_t>(blob.size(), VTPM_STATE_BLOB_SIZE));
    more = piece.size() == VTPM_STATE_BLOB_SIZE;
    blob = blob.subspan(piece.size());
    structure = {};
    structure.req.state_flags = protection->state_key ? VTPM_STATE_FLAG_ENCRYPTED : 0;
    structure.req.type = abi_type(kind);
    structure.req.length = static_cast<uint32_t>(piece.size());
    std::ranges::copy(piece, std::as_writable_bytes(std::span(structure.req.data)).begin());
    if (auto answer = device.call(request::set_state, structure); !answer) {
      return tl::unexpected(set_state_error(kind, answer.error()));
    }
  }
  return {};
}

Result<std::string> get_info(DeviceClient& device) {
  Assembly text(device, "the information", kLargestInfo);
  do {
    vtpm_info structure{};
    structure.req.flags =
        VTPM_INFO_TPMSPECIFICATION | VTPM_INFO_TPMATTRIBUTES | VTPM_INFO_TPMFEATURES;
    structure.req.offset = text.offset();
    auto answer = device.call(request::get_info, structure);
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    const auto& piece = answer->resp;
    if (auto added = text.add(piece.buffer, sizeof piece.buffer, piece.totlength, piece.length);
        !added) {
      return tl::unexpected(added.error());
    }
  } while (!text.complete());
  Bytes bytes = text.take();
  std::string json(bytes.size(), '\0');
  std::ranges::transform(bytes, json.begin(), [](std::byte b) { return static_cast<char>(b); });
  json.resize(std::strlen(json.c_str()));
  return json;
}

Result<Bytes> execute(DeviceClient& device, std::optional<Locality> locality, ByteView command) {
  if (command.size() > VTPM_COMMAND_MAX) {
    return failure(Errc::invalid, "a command has at most " + std::to_string(VTPM_COMMAND_MAX) +
                                      " bytes, not " + std::to_string(command.size()));
  }
  vtpm_execute structure{};
  structure.req.locality = locality ? static_cast<uint32_t>(*locality) : VTPM_LOCALITY_CURRENT;
  structure.req.length = static_cast<uint32_t>(command.size());
  std::ranges::copy(command, std::as_writable_bytes(std::span(structure.req.data)).begin());
  auto answer = device.call(request::execute, structure);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->resp.length > sizeof answer->resp.data) {
    return tl::unexpected(device.error(Errc::corrupt, "the device says its response has " +
                                                          std::to_string(answer->resp.length) +
                                                          " bytes, more than fit"));
  }
  ByteView response = std::as_bytes(std::span(answer->resp.data)).first(answer->resp.length);
  if (auto checked = check_response(device, response); !checked) {
    return tl::unexpected(checked.error());
  }
  return Bytes(response.begin(), response.end());
}

Result<void> hash(DeviceClient& device, const ByteSource& source) {
  auto piece = source(VTPM_HASH_DATA_MAX);
  if (!piece) {
    return tl::unexpected(piece.error());
  }
  if (auto started = device.call(request::hash_start); !started) {
    return tl::unexpected(started.error());
  }
  while (!piece->empty()) {
    if (auto sent = send_hash_piece(device, *piece); !sent) {
      return tl::unexpected(sent.error());
    }
    piece = source(VTPM_HASH_DATA_MAX);
    if (!piece) {
      return tl::unexpected(piece.error());
    }
  }
  if (auto ended = device.call(request::hash_end); !ended) {
    return tl::unexpected(ended.error());
  }
  return {};
}

}  // namespace vtpm
