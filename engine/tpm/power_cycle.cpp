#include "engine/tpm/power_cycle.h"

#include <utility>

#include "engine/command/codec.h"
#include "engine/command/response_codes.h"

namespace vtpm {

Result<void> PowerCycle::power_on(StoredVolatile stored) {
  auto& [engine, power, storage, accepted, runner, resources, chain] = parts_;
  if (accepted.closed() || !next_state(power.state(), Event::init)) {
    return failure(Errc::wrong_phase, "this TPM has ended");
  }
  bool waited = power.state() == TpmState::waiting;
  if (is_released(power.state())) {
    resources.forget_all();  // another process may have gone on from what is stored
  }
  take_power();
  accepted.begin_power_cycle(waited ? AcceptedCommands::Waiting::go_on
                                    : AcceptedCommands::Waiting::lost);
  if (auto taken = storage.take(); !taken) {
    return fail_power_on(taken.error(), true);
  }
  auto powered = engine.power_on(stored);
  storage.note_unstored();
  if (!powered) {
    return fail_power_on(powered.error(), powered.error().code == Errc::not_found);
  }
  power.enter(*powered == PoweredOn::resumed ? Event::resume : Event::init);
  return {};
}

Result<void> PowerCycle::fail_power_on(Error error, bool may_wait) {
  parts_.engine.forget_state();
  bool waits = options_.wait_for_storage && may_wait;
  parts_.power.enter(waits ? Event::wait : Event::fault, error.message);
  if (waits) {
    parts_.storage.let_go();
    error.tpm_result = static_cast<uint32_t>(rc::tpm12_retry);
  }
  return tl::unexpected(std::move(error));
}

Result<void> PowerCycle::startup(StartupType type) {
  TpmVersion version = parts_.engine.version();
  Bytes command = startup_command(version, type);
  Bytes response = parts_.chain.transmit(
      Command(command),
      {parts_.accepted.locality(), parts_.accepted.closed(), Sender::power_cycle});
  ResponseCode code = response_code(response);
  if (code != rc::success) {
    return failure(Errc::tpm,
                   "the TPM refused Startup: " + describe_response_code(version, code).text(),
                   static_cast<uint32_t>(code));
  }
  return {};
}

void PowerCycle::power_off() {
  if (next_state(parts_.power.state(), Event::stop)) {
    take_power();
    parts_.power.enter(Event::stop);
  }
}

void PowerCycle::end() {
  if (next_state(parts_.power.state(), Event::shutdown)) {
    take_power();
    parts_.storage.end();
    parts_.power.enter(Event::shutdown);
  }
}

// The side effect on every edge that leaves a powered phase.
void PowerCycle::take_power() {
  if (needs_shutdown()) {
    shut_down_in_order();
  }
  parts_.engine.power_off();
  parts_.resources.power_changed();
  parts_.runner.forget_last();
}

bool PowerCycle::needs_shutdown() const {
  return options_.auto_shutdown && parts_.engine.version() == TpmVersion::tpm20 &&
         parts_.power.state() == TpmState::started && !parts_.runner.last_was_shutdown();
}

void PowerCycle::shut_down_in_order() {
  parts_.resources.yield_slots();
  for (ShutdownType type : {ShutdownType::state, ShutdownType::clear}) {
    Bytes command = shutdown_command(type);
    Bytes response = parts_.chain.transmit(
        Command(command), {parts_.accepted.locality(), never_canceled_, Sender::power_cycle});
    if (response_code(response) == rc::success) {
      break;
    }
  }
}

Result<void> PowerCycle::reclaim_storage() {
  auto unchanged = parts_.storage.check_unchanged();
  if (unchanged) {
    parts_.power.enter(Event::reclaim);
    return {};
  }
  parts_.engine.power_off();
  parts_.resources.forget_all();
  parts_.storage.drop_unstored();
  parts_.power.enter(Event::fault, unchanged.error().message);
  return unchanged;
}

}  // namespace vtpm
