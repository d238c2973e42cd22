#include "engine/virtual_tpm.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "engine/codec.h"

namespace vtpm {
namespace {

std::string in_hex(ResponseCode code) {
  std::array<char, 16> text{};
  static_cast<void>(std::snprintf(text.data(), text.size(), "0x%x", static_cast<unsigned>(code)));
  return text.data();
}

// Whether the kernel's driver would send the command again after that response.
bool is_worth_a_retry(TpmVersion version, CommandCode command, ResponseCode response) {
  if (version != TpmVersion::tpm20) {
    return false;
  }
  return response == rc::retry || (response == rc::testing && command != cc::self_test);
}

}  // namespace

VirtualTpm::VirtualTpm(Engine& engine, Backoff& backoff, VirtualTpmOptions options)
    : engine_(engine), backoff_(backoff), options_(options) {}

Result<void> VirtualTpm::power_on(StoredVolatile stored) {
  MutexLock lock(mutex_);
  if (!next_phase(phase_, Event::init)) {
    return failure(Errc::wrong_phase, "this TPM has ended");
  }
  take_power();
  auto powered = engine_.power_on(stored);
  if (!powered) {
    enter(Event::fault, powered.error().message);
    return tl::unexpected(powered.error());
  }
  started_ = *powered == PoweredOn::resumed;
  enter(Event::init);
  return {};
}

Result<void> VirtualTpm::startup(StartupType type) {
  MutexLock lock(mutex_);
  if (phase_ != Phase::on) {
    return failure(Errc::wrong_phase, "Startup needs a TPM that is on");
  }
  ResponseCode code = response_code(transmit(startup_command(version(), type)));
  if (code != rc::success) {
    return failure(Errc::tpm, "the TPM refused Startup with response code " + in_hex(code));
  }
  return {};
}

void VirtualTpm::power_off() {
  MutexLock lock(mutex_);
  if (next_phase(phase_, Event::stop)) {
    take_power();
    enter(Event::stop);
  }
}

void VirtualTpm::end() {
  MutexLock lock(mutex_);
  if (next_phase(phase_, Event::shutdown)) {
    take_power();
    enter(Event::shutdown);
  }
}

Bytes VirtualTpm::execute(ByteView command) {
  MutexLock lock(mutex_);
  if (asks_size_before_startup(command)) {
    return buffer_size_response(engine_.buffer_size(0).size);
  }
  auto header = parse_command_header(command);
  busy_for_long_ = header && is_long_running(version(), header->code);
  Bytes response = transmit(command);
  busy_for_long_ = false;
  return response;
}

void VirtualTpm::cancel() {
  engine_.cancel();
  backoff_.interrupt();
}

Result<BufferSizes> VirtualTpm::buffer_size(uint32_t wanted) {
  MutexLock lock(mutex_);
  if (wanted != 0 && phase_ != Phase::off) {
    return failure(Errc::wrong_phase, "the buffer size can be changed only while the TPM is off");
  }
  return engine_.buffer_size(wanted);
}

std::string VirtualTpm::failure_reason() const {
  MutexLock lock(reason_mutex_);
  return failure_reason_;
}

void VirtualTpm::on_phase_change(
    std::function<void(Phase, Event, const std::string& reason)> tell) {
  tell_ = std::move(tell);
}

// The side effect on every edge that leaves a powered phase.
void VirtualTpm::take_power() {
  if (needs_shutdown()) {
    shut_down_in_order();
  }
  engine_.power_off();
  started_ = false;
  last_was_shutdown_ = false;
}

bool VirtualTpm::needs_shutdown() const {
  return options_.auto_shutdown && version() == TpmVersion::tpm20 && phase_ == Phase::on &&
         started_ && !last_was_shutdown_;
}

void VirtualTpm::shut_down_in_order() {
  for (ShutdownType type : {ShutdownType::state, ShutdownType::clear}) {
    if (response_code(transmit(shutdown_command(type))) == rc::success) {
      return;
    }
  }
}

// The one mutator of the phase.
void VirtualTpm::enter(Event event, const std::string& reason) {
  auto next = next_phase(phase_, event);
  if (!next) {
    return;
  }
  phase_ = *next;
  {
    MutexLock lock(reason_mutex_);
    failure_reason_ = reason;
  }
  if (tell_) {
    tell_(*next, event, reason);
  }
}

bool VirtualTpm::asks_size_before_startup(ByteView command) const {
  return phase_ == Phase::on && !started_ && version() == TpmVersion::tpm20 &&
         std::ranges::equal(command, buffer_size_query());
}

Bytes VirtualTpm::transmit(ByteView command) {
  Bytes response = transmit_once(command);
  auto header = parse_command_header(command);
  for (auto delay : kRetryDelays) {
    if (!header || !is_worth_a_retry(version(), header->code, response_code(response))) {
      break;
    }
    busy_for_long_ = true;
    if (!backoff_.wait(delay)) {
      break;
    }
    response = transmit_once(command);
  }
  return response;
}

Bytes VirtualTpm::transmit_once(ByteView command) {
  auto response = engine_.execute(command, locality_);
  if (!response) {
    return failure_response(version());
  }
  Bytes copy(response->begin(), response->end());
  note_executed(command, copy);
  if (phase_ == Phase::on && engine_.in_failure_mode()) {
    enter(Event::fault, "the TPM entered failure mode");
  }
  return copy;
}

// Keeps what the shutdown rule asks about.
void VirtualTpm::note_executed(ByteView command, ByteView response) {
  auto header = parse_command_header(command);
  bool succeeded = response_code(response) == rc::success;
  CommandCode startup = version() == TpmVersion::tpm20 ? cc::startup : ordinal::startup;
  last_was_shutdown_ = succeeded && header && header->code == cc::shutdown;
  started_ = started_ || (succeeded && header && header->code == startup);
}

}  // namespace vtpm
