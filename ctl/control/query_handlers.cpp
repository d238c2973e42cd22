#include <unistd.h>

#include "ctl/control/control_handlers.h"
#include "ctl/control/control_table.h"

namespace vtpm::handlers {

Answered<requests::GetCapability> get_capability(ControlCall& /*call*/,
                                                 const requests::GetCapability& /*request*/) {
  return requests::GetCapability::Answer{capability_mask()};
}

Answered<requests::GetConfig> get_config(ControlCall& call,
                                         const requests::GetConfig& /*request*/) {
  return requests::GetConfig::Answer{
      .sealed = call.device.sealed || call.device.file_key != nullptr,
      .migration_key = call.device.migration_key != nullptr};
}

Answered<requests::GetInfo> get_info(ControlCall& call, const requests::GetInfo& request) {
  return call.device.tpm.info(request.what).map([](std::string text) {
    return requests::GetInfo::Answer{std::move(text)};
  });
}

Answered<requests::GetStatus> get_status(ControlCall& call,
                                         const requests::GetStatus& /*request*/) {
  const VirtualTpm& tpm = call.device.tpm;
  const Surroundings& daemon = call.device.surroundings;
  return requests::GetStatus::Answer{.phase = tpm.phase(),
                                     .version = tpm.version(),
                                     .locality = tpm.locality(),
                                     .started = tpm.started(),
                                     .storage_locked = tpm.storage_locked(),
                                     .in_use = daemon.raw_node_in_use(),
                                     .daemon = getpid(),
                                     .commands = tpm.commands(),
                                     .opener = daemon.raw_node_opener().process,
                                     .storage = tpm.storage(),
                                     .failure_reason = tpm.failure_reason()};
}

Answered<requests::GetDetails> get_details(ControlCall& call,
                                           const requests::GetDetails& /*request*/) {
  const Surroundings& daemon = call.device.surroundings;
  return requests::GetDetails::Answer{.uptime = daemon.uptime(),
                                      .lockout = call.device.tpm.lockout(),
                                      .storage_failure = daemon.storage_failure(),
                                      .program = VTPM_VERSION,
                                      .opener = daemon.raw_node_opener().name};
}

Answered<requests::GetSpaces> get_spaces(ControlCall& call, const requests::GetSpaces& request) {
  requests::GetSpaces::Answer answer{call.device.tpm.spaces()};
  std::erase_if(answer.spaces, [&](const SpaceStatus& space) { return space.id <= request.after; });
  return answer;
}

}  // namespace vtpm::handlers
