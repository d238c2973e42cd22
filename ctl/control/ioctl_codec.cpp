#include "ctl/control/ioctl_codec.h"

#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "ctl/control/control_result.h"

namespace vtpm {
namespace {

static_assert(control_result::success == VTPM_RESULT_SUCCESS);
static_assert(control_result::bad_parameter == VTPM_RESULT_BAD_PARAMETER);
static_assert(control_result::fail == VTPM_RESULT_FAIL);
static_assert(control_result::bad_ordinal == VTPM_RESULT_BAD_ORDINAL);
static_assert(control_result::size == VTPM_RESULT_SIZE);
static_assert(control_result::bad_datasize == VTPM_RESULT_BAD_DATASIZE);
static_assert(control_result::bad_locality == VTPM_RESULT_BAD_LOCALITY);
static_assert(control_result::tpm2_failure == VTPM_RESULT_TPM2_FAILURE);
static_assert(control_result::retry == VTPM_RESULT_RETRY);

using Decoded = Result<std::optional<ControlRequest>>;

template <class Structure>
Structure structure_in(ByteView bytes) {
  Structure structure{};
  std::ranges::copy(bytes.first(std::min(bytes.size(), sizeof(structure))),
                    std::as_writable_bytes(std::span(&structure, 1)).begin());
  return structure;
}

template <class Structure>
Bytes bytes_of(const Structure& structure) {
  auto view = std::as_bytes(std::span(&structure, 1));
  return {view.begin(), view.end()};
}

template <size_t kSize>
Bytes first_of(const uint8_t (&field)[kSize], size_t length) {  // NOLINT: the structure's own
  auto view = std::as_bytes(std::span(field)).first(length);
  return {view.begin(), view.end()};
}

// One that does not fit into a Locality stays one that no TPM has.
Locality locality_of(uint32_t number) {
  return Locality{static_cast<uint8_t>(std::min(number, uint32_t{0xff}))};
}

// -- Requests: decode(structure, request) for those that say something --

Result<void> decode(const vtpm_version& structure, requests::SetVersion& request) {
  switch (structure.req.version) {
    case VTPM_VERSION_1_2:
      request.version = TpmVersion::tpm12;
      return {};
    case VTPM_VERSION_2_0:
      request.version = TpmVersion::tpm20;
      return {};
    default:
      return refusal(VTPM_RESULT_BAD_PARAMETER, "no such version of a TPM");
  }
}

template <class Request>
Result<void> decode(const vtpm_locality& structure, Request& request) {
  request.locality = locality_of(structure.req.loc);
  return {};
}

Result<void> decode(const vtpm_hash_data& structure, requests::HashData& request) {
  if (structure.req.length > sizeof(structure.req.data)) {
    return refusal(VTPM_RESULT_FAIL, "more data than the structure has");
  }
  request.data = first_of(structure.req.data, structure.req.length);
  return {};
}

Result<void> decode(const vtpm_buffersize& structure, requests::SetBufferSize& request) {
  request.size = structure.req.buffersize;
  return {};
}

Result<void> decode(const vtpm_info& structure, requests::GetInfo& request) {
  request.what = structure.req.flags;
  return {};
}

Result<void> decode(const vtpm_lock_storage& structure, requests::LockStorage& request) {
  request.retries = structure.req.retries;
  return {};
}

Result<void> decode(const vtpm_execute& structure, requests::Execute& request) {
  if (structure.req.length > sizeof(structure.req.data)) {
    return refusal(VTPM_RESULT_BAD_PARAMETER, "a longer command than the structure has");
  }
  request.command = first_of(structure.req.data, structure.req.length);
  if (structure.req.locality != VTPM_LOCALITY_CURRENT) {
    request.locality = locality_of(structure.req.locality);
  }
  return {};
}

// -- Answers: encode(answer, structure), into one that is zero --

void encode(const requests::GetEstablished::Answer& answer, vtpm_established& structure) {
  structure.bit = answer.established ? 1 : 0;
}

void encode(const requests::GetConfig::Answer& answer, vtpm_config& structure) {
  structure.flags = (answer.sealed ? VTPM_CONFIG_FLAG_FILE_KEY : 0) |
                    (answer.migration_key ? VTPM_CONFIG_FLAG_MIGRATION_KEY : 0);
}

void encode(const requests::GetCapability::Answer& answer, vtpm_capability& structure) {
  structure = answer.mask;
}

void encode(const requests::SetBufferSize::Answer& answer, vtpm_buffersize& structure) {
  structure.resp.buffersize = answer.size;
  structure.resp.minsize = answer.min;
  structure.resp.maxsize = answer.max;
}

void encode(const requests::Execute::Answer& answer, vtpm_execute& structure) {
  structure.resp.length = static_cast<uint32_t>(answer.response.size());
  auto fits = ByteView(answer.response)
                  .first(std::min(answer.response.size(), sizeof(structure.resp.data)));
  std::ranges::copy(fits, std::as_writable_bytes(std::span(structure.resp.data)).begin());
}

uint32_t number_of(Phase phase) {
  switch (phase) {
    case Phase::on:
      return VTPM_PHASE_ON;
    case Phase::failed:
      return VTPM_PHASE_FAILED;
    default:
      return VTPM_PHASE_OFF;
  }
}

// Cut where it does not fit; the structure's zeroes end it.
void copy_text(std::span<char> to, const std::string& text) {
  std::copy_n(text.begin(), std::min(text.size(), to.size() - 1), to.begin());
}

void encode(const requests::GetStatus::Answer& answer, vtpm_status& status) {
  status.phase = number_of(answer.phase);
  status.version = answer.version == TpmVersion::tpm20 ? VTPM_VERSION_2_0 : VTPM_VERSION_1_2;
  status.locality = static_cast<uint32_t>(answer.locality);
  status.flags = (answer.started ? VTPM_STATUS_STARTED : 0) |
                 (answer.storage_locked ? VTPM_STATUS_STORAGE_LOCKED : 0) |
                 (answer.in_use ? VTPM_STATUS_IN_USE : 0);
  status.pid = static_cast<uint32_t>(answer.daemon);
  status.commands = answer.commands;
  status.opener_pid = static_cast<uint32_t>(answer.opener);
  copy_text(status.state, answer.storage);
  copy_text(status.reason, answer.failure_reason);
}

void encode(const requests::GetDetails::Answer& answer, vtpm_details& details) {
  details.uptime = static_cast<uint64_t>(answer.uptime.count());
  if (answer.lockout) {
    details.flags |= VTPM_DETAILS_LOCKOUT_KNOWN;
    details.lockout_failed = answer.lockout->failed;
    details.lockout_limit = answer.lockout->limit;
    details.lockout_interval = answer.lockout->interval;
    details.lockout_recovery = answer.lockout->recovery;
  }
  if (answer.storage_failure) {
    details.flags |= VTPM_DETAILS_STORAGE_FAILED |
                     (answer.storage_failure->lasts ? VTPM_DETAILS_STORAGE_FAILS : 0);
    details.storage_failure_age = static_cast<uint64_t>(answer.storage_failure->age.count());
    copy_text(details.storage_failure, answer.storage_failure->reason);
  }
  copy_text(details.program, answer.program);
  copy_text(details.opener, answer.opener);
}

Result<void> decode(const vtpm_spaces& structure, requests::GetSpaces& request) {
  request.after = structure.req.after;
  return {};
}

void encode(const requests::GetSpaces::Answer& answer, vtpm_spaces& structure) {
  size_t count = std::min<size_t>(answer.spaces.size(), VTPM_SPACES_MAX);
  structure.resp.count = static_cast<uint32_t>(count);
  structure.resp.more = static_cast<uint32_t>(answer.spaces.size() - count);
  for (size_t i = 0; i < count; ++i) {
    const SpaceStatus& space = answer.spaces[i];
    structure.resp.spaces[i] = {.id = space.id,
                                .commands = space.commands,
                                .pid = static_cast<uint32_t>(space.peer.pid),
                                .uid = space.peer.uid,
                                .objects = static_cast<uint32_t>(space.objects),
                                .sessions = static_cast<uint32_t>(space.sessions)};
  }
}

// -- Those that the transfer, or the request, has a part in --

Decoded decode_init(ByteView in, BlobTransfer& transfer) {
  if (transfer.lacks_a_rest()) {
    return refusal(VTPM_RESULT_BAD_DATASIZE, "a state blob was given in part");
  }
  auto structure = structure_in<vtpm_init>(in);
  bool discard = (structure.req.init_flags & VTPM_INIT_FLAG_DELETE_VOLATILE) != 0;
  return requests::Init{discard ? StoredVolatile::discard : StoredVolatile::keep};
}

Decoded decode_stop(ByteView /*in*/, BlobTransfer& transfer) {
  transfer.start_over();
  return requests::Stop{};
}

// The text in pieces, with its NUL.
Result<Bytes> encode_info(ByteView in, ControlAnswer answer, BlobTransfer& /*transfer*/) {
  const std::string& text = std::get<requests::GetInfo::Answer>(answer).text;
  size_t offset = structure_in<vtpm_info>(in).req.offset;
  if (offset >= text.size()) {
    return refusal(VTPM_RESULT_BAD_PARAMETER, "an offset behind the text");
  }
  vtpm_info structure{};
  size_t total = text.size() + 1;
  size_t length = std::min(total - offset, sizeof(structure.resp.buffer));
  structure.resp.totlength = static_cast<uint32_t>(total);
  structure.resp.length = static_cast<uint32_t>(length);
  std::memcpy(structure.resp.buffer, text.c_str() + offset, length);
  return bytes_of(structure);
}

std::optional<BlobKind> kind_of(uint32_t type) {
  switch (type) {
    case VTPM_BLOB_TYPE_PERMANENT:
      return BlobKind::permanent;
    case VTPM_BLOB_TYPE_VOLATILE:
      return BlobKind::volatile_state;
    case VTPM_BLOB_TYPE_SAVESTATE:
      return BlobKind::savestate;
    default:
      return std::nullopt;
  }
}

// Nothing for a later piece of the blob that is under way.
Decoded decode_get_state(ByteView in, BlobTransfer& transfer) {
  auto structure = structure_in<vtpm_get_state>(in);
  auto kind = kind_of(structure.req.type);
  if (!kind) {
    return refusal(VTPM_RESULT_BAD_PARAMETER, "no such type of blob");
  }
  if (structure.req.offset != 0 && transfer.gives(*kind)) {
    return std::nullopt;
  }
  bool decrypted = (structure.req.state_flags & VTPM_STATE_FLAG_DECRYPTED) != 0;
  return requests::GetState{*kind, decrypted};
}

Result<Bytes> encode_state(ByteView in, ControlAnswer answer, BlobTransfer& transfer) {
  auto request = structure_in<vtpm_get_state>(in).req;
  BlobKind kind = kind_of(request.type).value();
  if (auto* taken = std::get_if<requests::GetState::Answer>(&answer)) {
    transfer.begin_get(kind, std::move(taken->blob), taken->encrypted);
  }
  Wiped<vtpm_get_state> structure;
  auto piece = transfer.piece(kind, request.offset, sizeof(structure->resp.data));
  if (!piece) {
    return refusal(VTPM_RESULT_RETRY, "another request has ended the transfer");
  }
  if (request.offset > piece->total) {
    return refusal(VTPM_RESULT_BAD_PARAMETER, "an offset behind the blob");
  }
  structure->resp.state_flags = piece->encrypted ? VTPM_STATE_FLAG_ENCRYPTED : 0;
  structure->resp.totlength = static_cast<uint32_t>(piece->total);
  ByteView bytes = piece->bytes.get();
  structure->resp.length = static_cast<uint32_t>(bytes.size());
  std::ranges::copy(bytes, std::as_writable_bytes(std::span(structure->resp.data)).begin());
  return bytes_of(*structure);
}

// Nothing while more comes.
Decoded decode_set_state(ByteView in, BlobTransfer& transfer) {
  Wiped structure(structure_in<vtpm_set_state>(in));
  const auto& request = (*structure).req;
  auto kind = kind_of(request.type);
  if (!kind || request.length > sizeof(request.data)) {
    transfer.abandon();
    return refusal(VTPM_RESULT_BAD_PARAMETER, "no such type or piece of a blob");
  }
  if (!transfer.collects(*kind)) {
    bool by_write = request.length == 0;
    transfer.begin_set(*kind, by_write);
    if (by_write) {
      return std::nullopt;
    }
  }
  if (!transfer.append(std::as_bytes(std::span(request.data)).first(request.length))) {
    return refusal(VTPM_RESULT_SIZE, "more than a blob may have");
  }
  if (request.length == sizeof(request.data)) {
    return std::nullopt;
  }
  return requests::SetState{*kind, transfer.finish_set()};
}

// -- The table --

template <class Structure, class Request>
Decoded decode_row(ByteView in, BlobTransfer& /*transfer*/) {
  Request request{};
  if constexpr (!std::is_empty_v<Request>) {
    if (auto decoded = decode(structure_in<Structure>(in), request); !decoded) {
      return tl::unexpected(decoded.error());
    }
  }
  return std::optional<ControlRequest>(std::move(request));
}

template <class Structure, class Request>
Result<Bytes> encode_row(ByteView /*in*/, ControlAnswer answer, BlobTransfer& /*transfer*/) {
  if constexpr (std::is_void_v<typename Request::Answer>) {
    return result_only(VTPM_RESULT_SUCCESS);
  } else {
    Structure structure{};
    encode(std::get<typename Request::Answer>(answer), structure);
    return bytes_of(structure);
  }
}

// A structure that does not fit its number does not compile.
template <uint32_t kNumber, class Structure, class Request>
constexpr IoctlRow row(Decoded (*decoding)(ByteView,
                                           BlobTransfer&) = decode_row<Structure, Request>,
                       Result<Bytes> (*encoding)(ByteView, ControlAnswer,
                                                 BlobTransfer&) = encode_row<Structure, Request>) {
  static_assert(_IOC_SIZE(kNumber) == sizeof(Structure));
  static_assert(sizeof(Structure) >= sizeof(vtpm_result));
  return {kNumber, kIndexOf<Request>, decoding, encoding};
}

using namespace requests;  // NOLINT: nothing but the column of requests

// clang-format off
constexpr IoctlRow kTable[] = {
    row<VTPM_GET_CAPABILITY, vtpm_capability, GetCapability>(),
    row<VTPM_INIT, vtpm_init, Init>(decode_init),
    row<VTPM_SHUTDOWN, vtpm_result, Shutdown>(),
    row<VTPM_GET_TPMESTABLISHED, vtpm_established, GetEstablished>(),
    row<VTPM_SET_LOCALITY, vtpm_locality, SetLocality>(),
    row<VTPM_HASH_START, vtpm_result, HashStart>(),
    row<VTPM_HASH_DATA, vtpm_hash_data, HashData>(),
    row<VTPM_HASH_END, vtpm_result, HashEnd>(),
    row<VTPM_CANCEL_TPM_CMD, vtpm_result, CancelCommand>(),
    row<VTPM_STORE_VOLATILE, vtpm_result, StoreVolatile>(),
    row<VTPM_RESET_TPMESTABLISHED, vtpm_locality, ResetEstablished>(),
    row<VTPM_GET_STATEBLOB, vtpm_get_state, GetState>(decode_get_state, encode_state),
    row<VTPM_SET_STATEBLOB, vtpm_set_state, SetState>(decode_set_state),
    row<VTPM_STOP, vtpm_result, Stop>(decode_stop),
    row<VTPM_GET_CONFIG, vtpm_config, GetConfig>(),
    row<VTPM_SET_BUFFERSIZE, vtpm_buffersize, SetBufferSize>(),
    row<VTPM_GET_INFO, vtpm_info, GetInfo>(decode_row<vtpm_info, GetInfo>, encode_info),
    row<VTPM_LOCK_STORAGE, vtpm_lock_storage, LockStorage>(),
    row<VTPM_EXECUTE, vtpm_execute, Execute>(),
    row<VTPM_GET_STATUS, vtpm_status, GetStatus>(),
    row<VTPM_SET_VERSION, vtpm_version, SetVersion>(),
    row<VTPM_GET_DETAILS, vtpm_details, GetDetails>(),
    row<VTPM_GET_SPACES, vtpm_spaces, GetSpaces>(),
};
// clang-format on

bool carries_pieces(const IoctlRow& ioctl) {
  return ioctl.request == kIndexOf<GetState> || ioctl.request == kIndexOf<SetState>;
}

}  // namespace

std::span<const IoctlRow> ioctl_table() {
  return kTable;
}

const IoctlRow* find_ioctl(uint32_t number) {
  const auto* row = std::ranges::find(kTable, number, &IoctlRow::number);
  return row == std::end(kTable) ? nullptr : row;
}

Bytes result_only(uint32_t tpm_result) {
  return bytes_of(vtpm_result{tpm_result});
}

Result<IoctlExchange> IoctlExchange::begin(const IoctlRow& ioctl, ByteView in,
                                           std::shared_ptr<BlobTransfer> transfer) {
  bool carries_data = (_IOC_DIR(ioctl.number) & _IOC_WRITE) != 0;
  if (in.size() != (carries_data ? _IOC_SIZE(ioctl.number) : 0)) {
    return failure(Errc::invalid, "a request of the wrong size");
  }
  return IoctlExchange(ioctl, Bytes(in.begin(), in.end()), std::move(transfer));
}

Result<std::optional<ControlRequest>> IoctlExchange::request() {
  if (!carries_pieces(*ioctl_)) {
    transfer_->abandon();
  }
  auto decoded = ioctl_->decode(in_.get(), *transfer_);
  refused_by_codec_ = !decoded;
  return decoded;
}

Result<Bytes> IoctlExchange::response(Result<ControlAnswer> answer) {
  auto encoded = std::move(answer).and_then([this](ControlAnswer&& value) {
    return ioctl_->encode(in_.get(), std::move(value), *transfer_);
  });
  if (encoded || encoded.error().tpm_result == 0) {
    return encoded;
  }
  if (!refused_by_codec_) {
    transfer_->abandon();
  }
  return result_only(encoded.error().tpm_result);
}

}  // namespace vtpm
