#include "ctl/control/control_handlers.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "engine/command/codec.h"
#include "engine/state/swtpm/swtpm_blob.h"

namespace vtpm::handlers {
namespace {

template <class Structure>
Bytes bytes_of(const Structure& structure) {
  auto view = std::as_bytes(std::span(&structure, 1));
  return {view.begin(), view.end()};
}

// Between two attempts at the storage lock.
constexpr std::chrono::milliseconds kLockPause{10};

Bytes success() {
  return result_only(VTPM_RESULT_SUCCESS);
}

// The result code for an error that carries none of its own.
uint32_t result_for(const Error& error, TpmVersion version) {
  if (error.tpm_result != 0) {
    return error.tpm_result;
  }
  switch (error.code) {
    case Errc::wrong_phase:
      return VTPM_RESULT_BAD_ORDINAL;
    case Errc::tpm:
    case Errc::corrupt:
      return version == TpmVersion::tpm20 ? VTPM_RESULT_TPM2_FAILURE : VTPM_RESULT_FAIL;
    default:
      return VTPM_RESULT_FAIL;
  }
}

template <class T>
Bytes answer(const ControlCall& call, const Result<T>& outcome) {
  return outcome ? success() : result_only(result_for(outcome.error(), call.device.tpm.version()));
}

bool is_allowed(const ControlCall& call, uint32_t locality) {
  auto highest = static_cast<uint32_t>(kHighestLocality);
  return locality < highest || (locality == highest && !call.device.policy.reject_locality_4);
}

}  // namespace

// -- Power --

ControlOutcome init(ControlCall& call, const vtpm_init& request) {
  if (call.transfer.lacks_a_rest()) {
    return result_only(VTPM_RESULT_BAD_DATASIZE);
  }
  constexpr unsigned kMostRetries = 300;
  if (call.device.policy.incoming && call.attempt < kMostRetries) {
    auto locked = call.device.tpm.lock_storage();
    if (!locked && locked.error().code == Errc::busy) {
      return ControlOutcome::again(kLockPause);
    }
  }
  bool discard = (request.req.init_flags & VTPM_INIT_FLAG_DELETE_VOLATILE) != 0;
  auto on = call.device.tpm.power_on(discard ? StoredVolatile::discard : StoredVolatile::keep);
  // As with swtpm, a TPM 1.2 passes on what is wrong with its state, and a TPM 2.0 has one code.
  bool unusable = !on && (on.error().code == Errc::corrupt || on.error().code == Errc::unsupported);
  if (unusable && call.device.tpm.version() == TpmVersion::tpm20) {
    on.error().tpm_result = VTPM_RESULT_TPM2_FAILURE;
  }
  return answer(call, on);
}

ControlOutcome shutdown(ControlCall& call, const vtpm_result& /*none*/) {
  call.device.tpm.end();
  call.device.end_daemon();
  return success();
}

ControlOutcome stop(ControlCall& call, const vtpm_result& /*none*/) {
  call.transfer.start_over();
  call.device.tpm.power_off();
  return success();
}

ControlOutcome set_version(ControlCall& call, const vtpm_version& request) {
  if (request.req.version != VTPM_VERSION_1_2 && request.req.version != VTPM_VERSION_2_0) {
    return result_only(VTPM_RESULT_BAD_PARAMETER);
  }
  TpmVersion version =
      request.req.version == VTPM_VERSION_2_0 ? TpmVersion::tpm20 : TpmVersion::tpm12;
  auto set = call.device.tpm.set_version(version);
  if (set) {
    call.device.announce_change();
  }
  return answer(call, set);
}

// -- Queries --

ControlOutcome get_capability(ControlCall& /*call*/, const vtpm_capability& /*none*/) {
  return bytes_of(vtpm_capability{capability_mask()});
}

ControlOutcome get_config(ControlCall& call, const vtpm_config& /*none*/) {
  bool sealed = call.device.sealed || call.device.file_key != nullptr;
  uint32_t flags = (sealed ? VTPM_CONFIG_FLAG_FILE_KEY : 0) |
                   (call.device.migration_key != nullptr ? VTPM_CONFIG_FLAG_MIGRATION_KEY : 0);
  return bytes_of(vtpm_config{.tpm_result = VTPM_RESULT_SUCCESS, .flags = flags});
}

ControlOutcome set_buffersize(ControlCall& call, const vtpm_buffersize& request) {
  auto sizes = call.device.tpm.buffer_size(request.req.buffersize);
  if (!sizes) {
    return answer(call, sizes);
  }
  vtpm_buffersize response{};
  response.resp = {.tpm_result = VTPM_RESULT_SUCCESS,
                   .buffersize = sizes->size,
                   .minsize = sizes->min,
                   .maxsize = sizes->max};
  return bytes_of(response);
}

ControlOutcome get_info(ControlCall& call, const vtpm_info& request) {
  auto text = call.device.tpm.info(request.req.flags);
  if (!text) {
    return answer(call, text);
  }
  size_t total = text->size() + 1;  // with its NUL
  if (request.req.offset >= text->size()) {
    return result_only(VTPM_RESULT_BAD_PARAMETER);
  }
  vtpm_info response{};
  size_t length = std::min(total - request.req.offset, sizeof(response.resp.buffer));
  response.resp.totlength = static_cast<uint32_t>(total);
  response.resp.length = static_cast<uint32_t>(length);
  std::memcpy(response.resp.buffer, text->c_str() + request.req.offset, length);
  return bytes_of(response);
}

namespace {

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

}  // namespace

ControlOutcome get_status(ControlCall& call, const vtpm_status& /*none*/) {
  const VirtualTpm& tpm = call.device.tpm;
  vtpm_status status{};
  status.phase = number_of(tpm.phase());
  status.version = tpm.version() == TpmVersion::tpm20 ? VTPM_VERSION_2_0 : VTPM_VERSION_1_2;
  status.locality = static_cast<uint32_t>(tpm.locality());
  status.flags = (tpm.started() ? VTPM_STATUS_STARTED : 0) |
                 (tpm.storage_locked() ? VTPM_STATUS_STORAGE_LOCKED : 0) |
                 (call.device.raw_node_in_use() ? VTPM_STATUS_IN_USE : 0);
  status.pid = static_cast<uint32_t>(getpid());
  status.commands = tpm.commands();
  status.opener_pid = static_cast<uint32_t>(call.device.raw_node_opener().process);
  copy_text(status.state, tpm.storage());
  copy_text(status.reason, tpm.failure_reason());
  return bytes_of(status);
}

ControlOutcome get_details(ControlCall& call, const vtpm_details& /*none*/) {
  vtpm_details details{};
  details.uptime = static_cast<uint64_t>(call.device.uptime().count());
  if (auto lockout = call.device.tpm.lockout()) {
    details.flags |= VTPM_DETAILS_LOCKOUT_KNOWN;
    details.lockout_failed = lockout->failed;
    details.lockout_limit = lockout->limit;
    details.lockout_interval = lockout->interval;
    details.lockout_recovery = lockout->recovery;
  }
  if (auto storage_failure = call.device.storage_failure()) {
    details.flags |= VTPM_DETAILS_STORAGE_FAILED;
    details.storage_failure_age = static_cast<uint64_t>(storage_failure->age.count());
    copy_text(details.storage_failure, storage_failure->reason);
  }
  copy_text(details.program, VTPM_VERSION);
  copy_text(details.opener, call.device.raw_node_opener().name);
  return bytes_of(details);
}

// -- Commands --

ControlOutcome execute(ControlCall& call, const vtpm_execute& request) {
  ByteView command = std::as_bytes(std::span(request.req.data));
  auto header = parse_command_header(command);
  if (request.req.length > command.size() || request.req.length < kHeaderSize ||
      header->size < kHeaderSize || header->size > request.req.length) {
    return result_only(VTPM_RESULT_BAD_PARAMETER);
  }
  std::optional<Locality> locality;
  if (request.req.locality != VTPM_LOCALITY_CURRENT) {
    if (!is_allowed(call, request.req.locality) || call.caller != Privilege::control) {
      return result_only(VTPM_RESULT_BAD_LOCALITY);
    }
    locality = Locality{static_cast<uint8_t>(request.req.locality)};
  }
  Bytes tpm_response =
      call.device.tpm.execute(std::move(call.pending), command.first(header->size), locality);
  vtpm_execute response{};
  response.resp.tpm_result = VTPM_RESULT_SUCCESS;
  response.resp.length = static_cast<uint32_t>(tpm_response.size());
  std::memcpy(response.resp.data, tpm_response.data(),
              std::min(tpm_response.size(), sizeof(response.resp.data)));
  return bytes_of(response);
}

ControlOutcome set_locality(ControlCall& call, const vtpm_locality& request) {
  if (!is_allowed(call, request.req.loc)) {
    return result_only(VTPM_RESULT_BAD_LOCALITY);
  }
  call.device.tpm.set_locality(Locality{request.req.loc});
  return success();
}

ControlOutcome cancel(ControlCall& call, const vtpm_result& /*none*/) {
  return answer(call, call.device.tpm.cancel());
}

// -- Established flag and hash interface --

ControlOutcome get_established(ControlCall& call, const vtpm_established& /*none*/) {
  auto established = call.device.tpm.established();
  if (!established) {
    return answer(call, established);
  }
  return bytes_of(vtpm_established{.tpm_result = VTPM_RESULT_SUCCESS,
                                   .bit = static_cast<uint8_t>(*established ? 1 : 0),
                                   .pad = {}});
}

ControlOutcome reset_established(ControlCall& call, const vtpm_locality& request) {
  if (request.req.loc > static_cast<uint8_t>(kHighestLocality)) {
    return result_only(VTPM_RESULT_BAD_LOCALITY);
  }
  return answer(call, call.device.tpm.reset_established(Locality{request.req.loc}));
}

ControlOutcome hash_start(ControlCall& call, const vtpm_result& /*none*/) {
  return answer(call, call.device.tpm.hash_start());
}

ControlOutcome hash_data(ControlCall& call, const vtpm_hash_data& request) {
  if (request.req.length > sizeof(request.req.data)) {
    return result_only(VTPM_RESULT_FAIL);
  }
  return answer(call, call.device.tpm.hash_data(
                          std::as_bytes(std::span(request.req.data)).first(request.req.length)));
}

ControlOutcome hash_end(ControlCall& call, const vtpm_result& /*none*/) {
  return answer(call, call.device.tpm.hash_end());
}

// -- State --

namespace {

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

// The blob as it is at this moment, on its way.
Result<void> take_blob(ControlCall& call, BlobKind kind, bool decrypted) {
  auto state = call.device.tpm.get_state(kind);
  if (!state) {
    return tl::unexpected(state.error());
  }
  const SwtpmKey* file_key = decrypted ? nullptr : call.device.file_key;
  auto blob = wrap_migration_blob(*state, call.device.migration_key, file_key);
  if (!blob) {
    return tl::unexpected(blob.error());
  }
  call.transfer.begin_get(kind, std::move(*blob), file_key != nullptr);
  return {};
}

}  // namespace

ControlOutcome store_volatile(ControlCall& call, const vtpm_result& /*none*/) {
  return answer(call, call.device.tpm.store_volatile());
}

ControlOutcome get_stateblob(ControlCall& call, const vtpm_get_state& request) {
  auto kind = kind_of(request.req.type);
  if (!kind) {
    return result_only(VTPM_RESULT_BAD_PARAMETER);
  }
  Result<void> taken;
  if (request.req.offset == 0 || !call.transfer.gives(*kind)) {
    taken = take_blob(call, *kind, (request.req.state_flags & VTPM_STATE_FLAG_DECRYPTED) != 0);
    // The savestate is the last blob that a migration asks for, whether there is one or not.
    if (kind == BlobKind::savestate && call.device.policy.release_lock_outgoing) {
      auto released = call.device.tpm.release_storage();
      taken = released ? taken : released;
    }
  }
  if (!taken) {
    call.transfer.abandon();
    return answer(call, taken);
  }
  vtpm_get_state response{};
  auto piece = call.transfer.piece(*kind, request.req.offset, sizeof(response.resp.data));
  if (!piece) {
    return result_only(VTPM_RESULT_RETRY);
  }
  if (request.req.offset > piece->total) {
    return result_only(VTPM_RESULT_BAD_PARAMETER);
  }
  response.resp.state_flags = piece->encrypted ? VTPM_STATE_FLAG_ENCRYPTED : 0;
  response.resp.totlength = static_cast<uint32_t>(piece->total);
  response.resp.length = static_cast<uint32_t>(piece->bytes.size());
  std::ranges::copy(piece->bytes, std::as_writable_bytes(std::span(response.resp.data)).begin());
  return bytes_of(response);
}

ControlOutcome set_stateblob(ControlCall& call, const vtpm_set_state& request) {
  auto kind = kind_of(request.req.type);
  if (!kind || request.req.length > sizeof(request.req.data)) {
    call.transfer.abandon();
    return result_only(VTPM_RESULT_BAD_PARAMETER);
  }
  if (!call.transfer.collects(*kind)) {
    bool by_write = request.req.length == 0;
    call.transfer.begin_set(*kind, by_write);
    if (by_write) {
      return success();
    }
  }
  if (!call.transfer.append(std::as_bytes(std::span(request.req.data)).first(request.req.length))) {
    return result_only(VTPM_RESULT_SIZE);
  }
  if (request.req.length == sizeof(request.req.data)) {
    return success();  // a full piece: more comes
  }
  Bytes blob = call.transfer.finish_set();
  if (blob.empty()) {
    return answer(call, call.device.tpm.set_state(*kind, {}));
  }
  auto state = unwrap_migration_blob(blob, call.device.migration_key, call.device.file_key);
  return state ? answer(call, call.device.tpm.set_state(*kind, *state)) : answer(call, state);
}

ControlOutcome lock_storage(ControlCall& call, const vtpm_lock_storage& request) {
  constexpr uint32_t kMostRetries = 6000;
  auto locked = call.device.tpm.lock_storage();
  bool may_help = !locked && locked.error().code == Errc::busy;
  if (may_help && call.attempt < std::min(request.req.retries, kMostRetries)) {
    return ControlOutcome::again(kLockPause);
  }
  return answer(call, locked);
}

}  // namespace vtpm::handlers
