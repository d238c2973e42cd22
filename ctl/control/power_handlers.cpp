#include "ctl/control/control_handlers.h"
#include "ctl/control/control_result.h"

namespace vtpm::handlers {

AnsweredOrAgain<requests::Init> init(ControlCall& call, const requests::Init& request) {
  constexpr unsigned kMostRetries = 300;
  VirtualTpm& tpm = call.device.tpm;
  if (call.device.policy.incoming && call.attempt < kMostRetries) {
    auto locked = tpm.lock_storage();
    if (!locked && locked.error().code == Errc::busy) {
      return Again{kLockPause};
    }
  }
  auto on = tpm.power_on(request.stored);
  // As with swtpm, a TPM 1.2 passes on what is wrong with its state, and a TPM 2.0 has one code.
  bool unusable = !on && (on.error().code == Errc::corrupt || on.error().code == Errc::unsupported);
  if (unusable && tpm.version() == TpmVersion::tpm20) {
    on.error().tpm_result = control_result::tpm2_failure;
  }
  return on;
}

Answered<requests::Shutdown> shutdown(ControlCall& call, const requests::Shutdown& /*request*/) {
  call.device.tpm.end();
  call.device.surroundings.end_daemon();
  return {};
}

Answered<requests::Stop> stop(ControlCall& call, const requests::Stop& /*request*/) {
  call.device.tpm.power_off();
  return {};
}

Answered<requests::SetVersion> set_version(ControlCall& call, const requests::SetVersion& request) {
  auto set = call.device.tpm.set_version(request.version);
  if (set) {
    call.device.surroundings.announce_version_change();
  }
  return set;
}

}  // namespace vtpm::handlers
