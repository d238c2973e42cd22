#include "ctl/control/control_handlers.h"
#include "ctl/control/control_result.h"
#include "engine/command/codec.h"

namespace vtpm::handlers {
namespace {

bool is_allowed(const ControlCall& call, Locality locality) {
  return locality < kHighestLocality ||
         (locality == kHighestLocality && !call.device.policy.reject_locality_4);
}

}  // namespace

Answered<requests::Execute> execute(ControlCall& call, const requests::Execute& request) {
  Command command(request.command);
  if (command.declared_size() < kHeaderSize || command.declared_size() > command.bytes().size()) {
    return refusal(control_result::bad_parameter, "not a whole command");
  }
  if (request.locality &&
      (!is_allowed(call, *request.locality) || call.caller != Privilege::control)) {
    return refusal(control_result::bad_locality, "this locality is not the caller's to take");
  }
  return requests::Execute::Answer{call.device.tpm.execute(
      call.pending, command.bytes().first(command.declared_size()), request.locality)};
}

Answered<requests::SetLocality> set_locality(ControlCall& call,
                                             const requests::SetLocality& request) {
  if (!is_allowed(call, request.locality)) {
    return refusal(control_result::bad_locality, "no such locality");
  }
  call.device.tpm.set_locality(request.locality);
  return {};
}

Answered<requests::CancelCommand> cancel(ControlCall& call,
                                         const requests::CancelCommand& /*request*/) {
  return call.device.tpm.cancel();
}

Answered<requests::SetBufferSize> set_buffer_size(ControlCall& call,
                                                  const requests::SetBufferSize& request) {
  return call.device.tpm.buffer_size(request.size);
}

// -- Established flag and hash interface --

Answered<requests::GetEstablished> get_established(ControlCall& call,
                                                   const requests::GetEstablished& /*request*/) {
  return call.device.tpm.established().map(
      [](bool established) { return requests::GetEstablished::Answer{established}; });
}

// Localities that exist and must not reset it are the TPM's to refuse.
Answered<requests::ResetEstablished> reset_established(ControlCall& call,
                                                       const requests::ResetEstablished& request) {
  if (request.locality > kHighestLocality) {
    return refusal(control_result::bad_locality, "no such locality");
  }
  return call.device.tpm.reset_established(request.locality);
}

Answered<requests::HashStart> hash_start(ControlCall& call,
                                         const requests::HashStart& /*request*/) {
  return call.device.tpm.hash_start();
}

Answered<requests::HashData> hash_data(ControlCall& call, const requests::HashData& request) {
  return call.device.tpm.hash_data(request.data);
}

Answered<requests::HashEnd> hash_end(ControlCall& call, const requests::HashEnd& /*request*/) {
  return call.device.tpm.hash_end();
}

}  // namespace vtpm::handlers
