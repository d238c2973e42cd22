#include "ctl/control_table.h"

#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <algorithm>
#include <array>

namespace vtpm {
namespace {

template <class Structure>
Bytes bytes_of(const Structure& structure) {
  auto view = std::as_bytes(std::span(&structure, 1));
  return {view.begin(), view.end()};
}

// -- Handlers --

Bytes get_capability(ControlContext& /*context*/, const vtpm_capability& /*none*/) {
  return bytes_of(vtpm_capability{capability_mask()});
}

// Which result code tells a caller of INIT why the TPM is not on.
uint32_t result_of(const Error& error, TpmVersion version) {
  bool tpm_failed = error.code == Errc::tpm || error.code == Errc::corrupt;
  return tpm_failed && version == TpmVersion::tpm20 ? VTPM_RESULT_TPM2_FAILURE : VTPM_RESULT_FAIL;
}

Bytes init(ControlContext& context, const vtpm_init& request) {
  bool discard = (request.req.init_flags & VTPM_INIT_FLAG_DELETE_VOLATILE) != 0;
  auto on = context.tpm.power_on(discard ? StoredVolatile::discard : StoredVolatile::keep);
  return result_only(on ? VTPM_RESULT_SUCCESS : result_of(on.error(), context.tpm.version()));
}

Bytes shutdown(ControlContext& context, const vtpm_result& /*none*/) {
  context.tpm.end();
  context.end_daemon();
  return result_only(VTPM_RESULT_SUCCESS);
}

Bytes stop(ControlContext& context, const vtpm_result& /*none*/) {
  context.tpm.power_off();
  return result_only(VTPM_RESULT_SUCCESS);
}

Bytes set_locality(ControlContext& context, const vtpm_locality& request) {
  if (request.req.loc > static_cast<uint8_t>(kHighestLocality)) {
    return result_only(VTPM_RESULT_BAD_LOCALITY);
  }
  context.tpm.set_locality(Locality{request.req.loc});
  return result_only(VTPM_RESULT_SUCCESS);
}

Bytes cancel(ControlContext& context, const vtpm_result& /*none*/) {
  context.tpm.cancel();
  return result_only(VTPM_RESULT_SUCCESS);
}

Bytes get_config(ControlContext& /*context*/, const vtpm_config& /*none*/) {
  return bytes_of(vtpm_config{.tpm_result = VTPM_RESULT_SUCCESS, .flags = 0});
}

Bytes set_buffersize(ControlContext& context, const vtpm_buffersize& request) {
  auto sizes = context.tpm.buffer_size(request.req.buffersize);
  if (!sizes) {
    return result_only(VTPM_RESULT_BAD_ORDINAL);
  }
  vtpm_buffersize answer{};
  answer.resp = {.tpm_result = VTPM_RESULT_SUCCESS,
                 .buffersize = sizes->size,
                 .minsize = sizes->min,
                 .maxsize = sizes->max};
  return bytes_of(answer);
}

// -- Rows --

constexpr std::array kEveryPhase = {Phase::off, Phase::on, Phase::failed};

template <class Structure>
using Handler = Bytes (*)(ControlContext&, const Structure&);

// A structure that does not fit its number does not compile.
template <uint32_t kNumber, class Structure, Handler<Structure> kHandler>
Bytes call(ControlContext& context, ByteView in) {
  static_assert(_IOC_SIZE(kNumber) == sizeof(Structure));
  static_assert(_IOC_SIZE(kNumber) >= sizeof(uint32_t));
  Structure request{};
  std::ranges::copy(in.first(std::min(in.size(), sizeof(request))),
                    std::as_writable_bytes(std::span(&request, 1)).begin());
  return kHandler(context, request);
}

// clang-format off
constexpr ControlRow kTable[] = {
    {VTPM_GET_CAPABILITY, "GET_CAPABILITY", kEveryPhase, Turn::at_once, Privilege::anyone, 0,
     call<VTPM_GET_CAPABILITY, vtpm_capability, get_capability>},
    {VTPM_INIT, "INIT", kEveryPhase, Turn::after_commands, Privilege::control, VTPM_CAP_INIT,
     call<VTPM_INIT, vtpm_init, init>},
    {VTPM_SHUTDOWN, "SHUTDOWN", kEveryPhase, Turn::after_commands, Privilege::control, VTPM_CAP_SHUTDOWN,
     call<VTPM_SHUTDOWN, vtpm_result, shutdown>},
    {VTPM_SET_LOCALITY, "SET_LOCALITY", kEveryPhase, Turn::at_once, Privilege::control, VTPM_CAP_SET_LOCALITY,
     call<VTPM_SET_LOCALITY, vtpm_locality, set_locality>},
    {VTPM_CANCEL_TPM_CMD, "CANCEL_TPM_CMD", kEveryPhase, Turn::at_once, Privilege::control, VTPM_CAP_CANCEL_TPM_CMD,
     call<VTPM_CANCEL_TPM_CMD, vtpm_result, cancel>},
    {VTPM_STOP, "STOP", kEveryPhase, Turn::after_commands, Privilege::control, VTPM_CAP_STOP,
     call<VTPM_STOP, vtpm_result, stop>},
    {VTPM_GET_CONFIG, "GET_CONFIG", kEveryPhase, Turn::at_once, Privilege::anyone, VTPM_CAP_GET_CONFIG,
     call<VTPM_GET_CONFIG, vtpm_config, get_config>},
    {VTPM_SET_BUFFERSIZE, "SET_BUFFERSIZE", kEveryPhase, Turn::after_commands, Privilege::control, VTPM_CAP_SET_BUFFERSIZE,
     call<VTPM_SET_BUFFERSIZE, vtpm_buffersize, set_buffersize>},
};
// clang-format on

}  // namespace

std::span<const ControlRow> control_table() {
  return kTable;
}

const ControlRow* find_control_row(uint32_t number) {
  const auto* row = std::ranges::find(kTable, number, &ControlRow::number);
  return row == std::end(kTable) ? nullptr : row;
}

uint64_t capability_mask() {
  uint64_t mask = 0;
  for (const ControlRow& row : kTable) {
    mask |= row.capability;
  }
  return mask;
}

Bytes result_only(uint32_t tpm_result) {
  return bytes_of(vtpm_result{tpm_result});
}

}  // namespace vtpm
