#include "ctl/control/control_table.h"

#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <algorithm>
#include <array>

#include "ctl/control/control_handlers.h"

namespace vtpm {
namespace {

constexpr std::array kEveryPhase = {Phase::off, Phase::on, Phase::failed};
constexpr std::array kOn = {Phase::on};
constexpr std::array kNotOn = {Phase::off, Phase::failed};

template <class Structure>
using Handler = ControlOutcome (*)(ControlCall&, const Structure&);

// A structure that does not fit its number does not compile.
template <uint32_t kNumber, class Structure, Handler<Structure> kHandler>
ControlOutcome call(ControlCall& control_call, ByteView in) {
  static_assert(_IOC_SIZE(kNumber) == sizeof(Structure));
  static_assert(sizeof(Structure) >= sizeof(vtpm_result));
  Structure request{};
  std::ranges::copy(in.first(std::min(in.size(), sizeof(request))),
                    std::as_writable_bytes(std::span(&request, 1)).begin());
  return kHandler(control_call, request);
}

using enum Turn;
using enum Privilege;

// clang-format off
constexpr ControlRow kTable[] = {
    {VTPM_GET_CAPABILITY, "GET_CAPABILITY", kEveryPhase, at_once, anyone, 0,
     call<VTPM_GET_CAPABILITY, vtpm_capability, handlers::get_capability>},
    {VTPM_INIT, "INIT", kEveryPhase, after_commands, control, VTPM_CAP_INIT,
     call<VTPM_INIT, vtpm_init, handlers::init>},
    {VTPM_SHUTDOWN, "SHUTDOWN", kEveryPhase, after_commands, control, VTPM_CAP_SHUTDOWN,
     call<VTPM_SHUTDOWN, vtpm_result, handlers::shutdown>},
    {VTPM_GET_TPMESTABLISHED, "GET_TPMESTABLISHED", kOn, after_commands, observer, VTPM_CAP_GET_TPMESTABLISHED,
     call<VTPM_GET_TPMESTABLISHED, vtpm_established, handlers::get_established>},
    {VTPM_SET_LOCALITY, "SET_LOCALITY", kEveryPhase, at_once, control, VTPM_CAP_SET_LOCALITY,
     call<VTPM_SET_LOCALITY, vtpm_locality, handlers::set_locality>},
    {VTPM_HASH_START, "HASH_START", kOn, after_commands, control, VTPM_CAP_HASHING,
     call<VTPM_HASH_START, vtpm_result, handlers::hash_start>},
    {VTPM_HASH_DATA, "HASH_DATA", kOn, after_commands, control, VTPM_CAP_HASHING,
     call<VTPM_HASH_DATA, vtpm_hash_data, handlers::hash_data>},
    {VTPM_HASH_END, "HASH_END", kOn, after_commands, control, VTPM_CAP_HASHING,
     call<VTPM_HASH_END, vtpm_result, handlers::hash_end>},
    {VTPM_CANCEL_TPM_CMD, "CANCEL_TPM_CMD", kOn, at_once, control, VTPM_CAP_CANCEL_TPM_CMD,
     call<VTPM_CANCEL_TPM_CMD, vtpm_result, handlers::cancel>},
    {VTPM_STORE_VOLATILE, "STORE_VOLATILE", kOn, after_commands, control, VTPM_CAP_STORE_VOLATILE,
     call<VTPM_STORE_VOLATILE, vtpm_result, handlers::store_volatile>},
    {VTPM_RESET_TPMESTABLISHED, "RESET_TPMESTABLISHED", kOn, after_commands, control, VTPM_CAP_RESET_TPMESTABLISHED,
     call<VTPM_RESET_TPMESTABLISHED, vtpm_locality, handlers::reset_established>},
    {VTPM_GET_STATEBLOB, "GET_STATEBLOB", kOn, after_commands, control, VTPM_CAP_GET_STATEBLOB,
     call<VTPM_GET_STATEBLOB, vtpm_get_state, handlers::get_stateblob>},
    {VTPM_SET_STATEBLOB, "SET_STATEBLOB", kNotOn, after_commands, control, VTPM_CAP_SET_STATEBLOB,
     call<VTPM_SET_STATEBLOB, vtpm_set_state, handlers::set_stateblob>},
    {VTPM_STOP, "STOP", kEveryPhase, after_commands, control, VTPM_CAP_STOP,
     call<VTPM_STOP, vtpm_result, handlers::stop>},
    {VTPM_GET_CONFIG, "GET_CONFIG", kEveryPhase, at_once, anyone, VTPM_CAP_GET_CONFIG,
     call<VTPM_GET_CONFIG, vtpm_config, handlers::get_config>},
    {VTPM_SET_BUFFERSIZE, "SET_BUFFERSIZE", kEveryPhase, after_commands, control, VTPM_CAP_SET_BUFFERSIZE,
     call<VTPM_SET_BUFFERSIZE, vtpm_buffersize, handlers::set_buffersize>},
    {VTPM_GET_INFO, "GET_INFO", kEveryPhase, after_commands, observer, VTPM_CAP_GET_INFO,
     call<VTPM_GET_INFO, vtpm_info, handlers::get_info>},
    {VTPM_LOCK_STORAGE, "LOCK_STORAGE", kEveryPhase, after_commands, control, VTPM_CAP_LOCK_STORAGE,
     call<VTPM_LOCK_STORAGE, vtpm_lock_storage, handlers::lock_storage>},
    {VTPM_EXECUTE, "EXECUTE", kEveryPhase, as_command, raw_user, VTPM_CAP_EXECUTE,
     call<VTPM_EXECUTE, vtpm_execute, handlers::execute>},
    {VTPM_GET_STATUS, "GET_STATUS", kEveryPhase, at_once, observer, VTPM_CAP_GET_STATUS,
     call<VTPM_GET_STATUS, vtpm_status, handlers::get_status>},
    {VTPM_SET_VERSION, "SET_VERSION", kNotOn, after_commands, control, VTPM_CAP_SET_VERSION,
     call<VTPM_SET_VERSION, vtpm_version, handlers::set_version>},
    {VTPM_GET_DETAILS, "GET_DETAILS", kEveryPhase, at_once, observer, VTPM_CAP_GET_DETAILS,
     call<VTPM_GET_DETAILS, vtpm_details, handlers::get_details>},
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
  vtpm_result structure{tpm_result};
  auto view = std::as_bytes(std::span(&structure, 1));
  return {view.begin(), view.end()};
}

}  // namespace vtpm
