#include "engine/tpm/retry_link.h"

#include "engine/command/codec.h"

namespace vtpm {
namespace {

bool is_worth_a_retry(TpmVersion version, CommandCode command, ByteView response) {
  ResponseCode code = response_code(response);
  return version == TpmVersion::tpm20 &&
         (code == rc::retry || (code == rc::testing && command != cc::self_test));
}

}  // namespace

Bytes RetryLink::transmit(const Command& command, const Ticket& ticket) {
  Bytes response = send_again(command, ticket, next_.transmit(command, ticket));
  waits_ = false;
  return response;
}

Bytes RetryLink::send_again(const Command& command, const Ticket& ticket, Bytes response) {
  for (auto delay : kRetryDelays) {
    if (!is_worth_a_retry(engine_.version(), command.code(), response)) {
      break;
    }
    waits_ = true;
    if (ticket.canceled || !backoff_.wait(delay) || ticket.canceled) {
      return error_response(engine_.version(), rc::canceled);
    }
    response = next_.transmit(command, ticket);
  }
  return response;
}

}  // namespace vtpm
