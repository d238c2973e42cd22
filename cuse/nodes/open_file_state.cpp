#include "cuse/nodes/open_file_state.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace vtpm {
namespace {

constexpr std::string_view kMagic = "vtpmopen";
constexpr uint16_t kVersion = 1;
constexpr size_t kLongestName = 255;
// More than any response of a library that there may be one day.
constexpr size_t kLongestResponse = size_t{64} * 1024;

// -- Numbers of the format: never given to something else. Each list is in the order of its enum,
// whose names it tells as well. --

template <class Enum>
struct Numbered {
  Enum value;
  uint8_t number;
  std::string_view name;
};

constexpr Numbered<NodeKind> kNodes[] = {
    {NodeKind::raw, 1, "raw"},
    {NodeKind::control, 2, "control"},
    {NodeKind::managed, 3, "managed"},
};
constexpr Numbered<Privilege> kPrivileges[] = {
    {Privilege::anyone, 0, "no rights"},
    {Privilege::observer, 1, "may look"},
    {Privilege::raw_user, 2, "may send commands"},
    {Privilege::control, 3, "may control"},
};
constexpr Numbered<TransferState> kTransfers[] = {
    {TransferState::idle, 0, "no blob"},
    {TransferState::getting, 1, "a blob that is read"},
    {TransferState::setting, 2, "a blob that is given by ioctl"},
    {TransferState::writing, 3, "a blob that is written"},
};
constexpr Numbered<BlobKind> kBlobs[] = {
    {BlobKind::permanent, 1, "permanent"},
    {BlobKind::volatile_state, 2, "volatile"},
    {BlobKind::savestate, 3, "savestate"},
};

template <class Enum, size_t kSize>
const Numbered<Enum>& row_of(const Numbered<Enum> (&rows)[kSize], Enum value) {  // NOLINT
  return *std::ranges::find(rows, value, &Numbered<Enum>::value);
}

template <class Enum, size_t kSize>
std::optional<Enum> value_of(const Numbered<Enum> (&rows)[kSize], uint8_t number) {  // NOLINT
  const auto* row = std::ranges::find(rows, number, &Numbered<Enum>::number);
  return row == std::end(rows) ? std::nullopt : std::optional(row->value);
}

constexpr uint8_t kMayWrite = 1;
constexpr uint8_t kEncrypted = 1;

// A bit for each kind, in the order of the rows.
uint8_t bits_of(const std::set<BlobKind>& kinds) {
  unsigned bits = 0;
  unsigned bit = 1;
  for (const auto& row : kBlobs) {
    bits |= kinds.contains(row.value) ? bit : 0;
    bit <<= 1U;
  }
  return static_cast<uint8_t>(bits);
}

std::optional<std::set<BlobKind>> kinds_of(uint8_t bits) {
  std::set<BlobKind> kinds;
  unsigned rest = bits;
  for (const auto& row : kBlobs) {
    if ((rest & 1U) != 0) {
      kinds.insert(row.value);
    }
    rest >>= 1U;
  }
  return rest == 0 ? std::optional(std::move(kinds)) : std::nullopt;
}

// -- Reading. Each gives nothing for what no open file can be; a reader that ran out of bytes is
// asked once, at the end. --

std::optional<Opening> read_opening(BigEndianReader& from) {
  auto node = value_of(kNodes, from.u8());
  uint8_t flags = from.u8();
  auto privilege = value_of(kPrivileges, from.u8());
  Opening opening;
  opening.peer.process = static_cast<pid_t>(from.u32());
  opening.peer.uid = from.u32();
  opening.peer.gid = from.u32();
  ByteView name = from.bytes(from.u16());
  if (!node || !privilege || (flags & ~kMayWrite) != 0 || opening.peer.process < 0 ||
      name.size() > kLongestName) {
    return std::nullopt;
  }
  opening.node = *node;
  opening.may_write = (flags & kMayWrite) != 0;
  opening.privilege = *privilege;
  std::ranges::transform(name, std::back_inserter(opening.peer.name),
                         [](std::byte b) { return static_cast<char>(b); });
  return opening;
}

bool read_response(BigEndianReader& from, OpenFileState& state) {
  uint32_t offset = from.u32();
  ByteView rest = from.bytes(from.u32());
  state.response_left = std::chrono::milliseconds(from.u32());
  // One of which everything was read is none.
  if (offset + uint64_t{rest.size()} > kLongestResponse || (rest.empty() && offset != 0)) {
    return false;
  }
  state.response = ResponseBuffer(offset, rest);
  return true;
}

std::optional<Transfer> read_transfer(BigEndianReader& from) {
  auto state = value_of(kTransfers, from.u8());
  auto kind = value_of(kBlobs, from.u8());
  auto cut_short = kinds_of(from.u8());
  uint8_t flags = from.u8();
  uint32_t offset = from.u32();
  ByteView blob = from.bytes(from.u32());
  if (!state || !kind || !cut_short || (flags & ~kEncrypted) != 0 || offset > blob.size() ||
      blob.size() > BlobTransfer::kLargestBlob || (state == TransferState::idle && !blob.empty()) ||
      (state != TransferState::getting && offset != 0)) {
    return std::nullopt;
  }
  Transfer transfer;
  transfer.state = *state;
  transfer.kind = *kind;
  transfer.cut_short = std::move(*cut_short);
  transfer.blob.append(blob);
  transfer.encrypted = (flags & kEncrypted) != 0;
  transfer.offset = offset;
  return transfer;
}

tl::unexpected<Error> damaged() {
  return failure(Errc::corrupt, "this is no open file as vtpmd writes them, or it is damaged");
}

}  // namespace

std::string to_string(const OpenFileState& state) {
  const Opening& opening = state.opening;
  std::string text = std::string(row_of(kNodes, opening.node).name) + " node, process " +
                     std::to_string(opening.peer.process) + ", user " +
                     std::to_string(opening.peer.uid) + ", group " +
                     std::to_string(opening.peer.gid) + ", " +
                     std::string(row_of(kPrivileges, opening.privilege).name) +
                     (opening.may_write ? "" : ", opened for reading");
  text += "; response: " + std::to_string(state.response.rest().size()) + " bytes behind " +
          std::to_string(state.response.offset()) + ", for " +
          std::to_string(state.response_left.count()) + " ms";
  const Transfer& transfer = state.transfer;
  text += "; transfer: " + std::string(row_of(kTransfers, transfer.state).name) + ", " +
          std::to_string(transfer.blob.size()) + " bytes, at " + std::to_string(transfer.offset);
  for (BlobKind kind : transfer.cut_short) {
    text += ", " + std::string(row_of(kBlobs, kind).name) + " cut short";
  }
  return text;
}

WipedBytes write_open_file(const OpenFileState& state) {
  const Opening& opening = state.opening;
  const ResponseBuffer& response = state.response;
  const Transfer& transfer = state.transfer;
  auto name = as_bytes(std::string_view(opening.peer.name).substr(0, kLongestName));
  auto left =
      std::clamp<int64_t>(state.response_left.count(), 0, std::numeric_limits<uint32_t>::max());
  WipedBytes written(BigEndianWriter()
                         .bytes(as_bytes(kMagic))
                         .u16(kVersion)
                         .u8(row_of(kNodes, opening.node).number)
                         .u8(opening.may_write ? kMayWrite : 0)
                         .u8(row_of(kPrivileges, opening.privilege).number)
                         .u32(static_cast<uint32_t>(opening.peer.process))
                         .u32(opening.peer.uid)
                         .u32(opening.peer.gid)
                         .u16(static_cast<uint16_t>(name.size()))
                         .bytes(name)
                         .u32(static_cast<uint32_t>(response.offset()))
                         .u32(static_cast<uint32_t>(response.rest().size()))
                         .take());
  written.append(response.rest());
  written.append(BigEndianWriter()
                     .u32(static_cast<uint32_t>(left))
                     .u8(row_of(kTransfers, transfer.state).number)
                     .u8(row_of(kBlobs, transfer.kind).number)
                     .u8(bits_of(transfer.cut_short))
                     .u8(transfer.encrypted ? kEncrypted : 0)
                     .u32(static_cast<uint32_t>(transfer.offset))
                     .u32(static_cast<uint32_t>(transfer.blob.size()))
                     .take());
  written.append(transfer.blob.view());
  return written;
}

Result<OpenFileState> read_open_file(ByteView written, NodeKind node) {
  BigEndianReader from(written);
  if (!std::ranges::equal(from.bytes(kMagic.size()), as_bytes(kMagic))) {
    return damaged();
  }
  if (uint16_t version = from.u16(); from.ok() && version != kVersion) {
    return failure(Errc::unsupported, "an open file of version " + std::to_string(version) +
                                          ", and this vtpmd knows version " +
                                          std::to_string(kVersion));
  }
  OpenFileState state;
  auto opening = read_opening(from);
  bool response = opening && read_response(from, state);
  auto transfer = response ? read_transfer(from) : std::nullopt;
  bool whole = transfer && from.ok() && from.remaining() == 0;
  bool belongs = whole && opening->node == node &&
                 (node != NodeKind::control || state.response.rest().empty()) &&
                 (node != NodeKind::managed || transfer->state == TransferState::idle);
  if (!belongs) {
    return damaged();
  }
  state.opening = std::move(*opening);
  state.transfer = std::move(*transfer);
  return state;
}

}  // namespace vtpm
