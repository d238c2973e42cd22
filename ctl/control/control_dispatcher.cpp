#include "ctl/control/control_dispatcher.h"

#include <algorithm>

#include "ctl/control/control_result.h"

namespace vtpm {
namespace {

// The result code for an error that carries none of its own.
uint32_t result_for(const Error& error, TpmVersion version) {
  switch (error.code) {
    case Errc::wrong_phase:
      return control_result::bad_ordinal;
    case Errc::tpm:
    case Errc::corrupt:
      return version == TpmVersion::tpm20 ? control_result::tpm2_failure : control_result::fail;
    default:
      return control_result::fail;
  }
}

}  // namespace

Result<void> ControlDispatcher::permit(const ControlRow& row, Privilege caller) {
  if (!includes(caller, row.privilege)) {
    return failure(Errc::denied, "this opener may not control the TPM");
  }
  return {};
}

Result<void> ControlDispatcher::admit(const ControlRow& row, const ControlCaller& caller) {
  if (auto permitted = permit(row, caller.privilege); !permitted) {
    return permitted;
  }
  if (row.turn != Turn::at_once && caller.lane && caller.lane->full()) {
    return failure(Errc::busy, "too many requests of this opener wait already");
  }
  return {};
}

Precedence ControlDispatcher::precedence_of(const ControlRow& row, const ControlCaller& caller) {
  bool steers = row.turn == Turn::after_commands && caller.privilege == Privilege::control;
  return steers ? Precedence::first : Precedence::ordinary;
}

Result<void> ControlDispatcher::check_phase(const ControlRow& row) const {
  if (std::ranges::find(row.phases, context_.tpm.phase()) == row.phases.end()) {
    return failure(Errc::wrong_phase, std::string(row.name) + " is not possible in this phase",
                   control_result::bad_ordinal);
  }
  return {};
}

ControlOutcome ControlDispatcher::handle(const ControlRow& row, ControlCall& call,
                                         const ControlRequest& request) const {
  ControlOutcome outcome = row.handle(call, request);
  auto* answer = std::get_if<Result<ControlAnswer>>(&outcome);
  if (answer != nullptr && !*answer && answer->error().tpm_result == 0) {
    answer->error().tpm_result = result_for(answer->error(), context_.tpm.version());
  }
  return outcome;
}

}  // namespace vtpm
