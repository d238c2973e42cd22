#include "engine/tpm/power_gate.h"

#include <algorithm>

#include "engine/command/codec.h"

namespace vtpm {

Bytes PowerGate::transmit(const Command& command, const Ticket& ticket) {
  if (ticket.sender == Sender::power_cycle) {
    return next_.transmit(command, ticket);
  }
  if (auto refused = refusal(ticket)) {
    return std::move(*refused);
  }
  if (asks_size_before_startup(command)) {
    return buffer_size_response(engine_.buffer_size(0).size);
  }
  return next_.transmit(command, ticket);
}

std::optional<Bytes> PowerGate::refusal(const Ticket& ticket) const {
  TpmVersion version = engine_.version();
  CommandAnswer answered = commands_in(power_.state());
  if (accepted_.closed() || ticket.lost || answered == CommandAnswer::with_failure) {
    return failure_response(version);
  }
  if (ticket.canceled) {
    return error_response(version, rc::canceled);
  }
  if (answered == CommandAnswer::with_retry) {
    return error_response(version, version == TpmVersion::tpm20 ? rc::retry : rc::tpm12_retry);
  }
  return std::nullopt;
}

bool PowerGate::asks_size_before_startup(const Command& command) const {
  return power_.state() == TpmState::on && engine_.version() == TpmVersion::tpm20 &&
         std::ranges::equal(command.bytes(), buffer_size_query());
}

}  // namespace vtpm
