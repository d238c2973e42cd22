#include "engine/tpm/command_runner.h"

#include "engine/command/codec.h"
#include "engine/command/command_traits.h"

namespace vtpm {

Bytes CommandRunner::transmit(const Command& command, const Ticket& ticket) {
  auto response = engine_.execute(command.bytes(), ticket.locality, ticket.canceled);
  storage_.note_unstored();
  if (!response) {
    return answer_to_failed(command, response.error());
  }
  Bytes copy(response->begin(), response->end());
  note_executed(command, copy);
  if (power_.on() && engine_.in_failure_mode()) {
    power_.enter(Event::fault, "the TPM entered failure mode");
  }
  return copy;
}

// The engine is off, or what the command changed could not be stored: it is undone then, unless the
// command carried another one.
Bytes CommandRunner::answer_to_failed(const Command& command, const Error& error) {
  TpmVersion version = engine_.version();
  if (error.code == Errc::wrong_phase) {
    return failure_response(version);
  }
  if (engine_.in_failure_mode()) {
    power_.enter(Event::fault, error.message);
    return failure_response(version);
  }
  Change change = carries_another(version, command.code()) ? Change::kept : Change::undone;
  listener_.on_not_stored(command.code(), change, error.message);
  bool tpm20 = version == TpmVersion::tpm20;
  return error_response(version, tpm20 ? rc::nv_unavailable : rc::tpm12_retry);
}

void CommandRunner::note_executed(const Command& command, ByteView response) {
  ++commands_;
  bool succeeded = response_code(response) == rc::success;
  CommandCode startup = engine_.version() == TpmVersion::tpm20 ? cc::startup : ordinal::startup;
  last_was_shutdown_ = succeeded && command.code() == cc::shutdown;
  if (succeeded && command.code() == startup) {
    power_.enter(Event::startup);
  }
}

}  // namespace vtpm
