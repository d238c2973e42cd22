#include "engine/tpm/virtual_tpm.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "engine/command/codec.h"
#include "engine/command/command_traits.h"
#include "engine/command/response_codes.h"

namespace vtpm {
namespace {

// Whether the kernel's driver would send the command again after that response.
bool is_worth_a_retry(TpmVersion version, CommandCode command, ResponseCode response) {
  if (version != TpmVersion::tpm20) {
    return false;
  }
  return response == rc::retry || (response == rc::testing && command != cc::self_test);
}

// What a command gets while the storage is in other hands: the kernel's and the TSS's senders try
// again.
Bytes not_now_response(TpmVersion version) {
  return error_response(version, version == TpmVersion::tpm20 ? rc::retry : rc::tpm12_retry);
}

}  // namespace

VirtualTpm::Pending::~Pending() {
  if (tpm_ != nullptr) {
    MutexLock lock(tpm_->cancel_mutex_);
    --tpm_->pending_;
    // A cancel that meant it means no other.
    tpm_->next_canceled_ = tpm_->next_canceled_ && tpm_->pending_ > 0;
  }
}

VirtualTpm::VirtualTpm(Engine& engine, StateStore& store, Backoff& backoff,
                       VirtualTpmOptions options)
    : engine_(engine), store_(store), backoff_(backoff), options_(options) {}

std::string VirtualTpm::failure_reason() const {
  MutexLock lock(reason_mutex_);
  return failure_reason_;
}

void VirtualTpm::on_phase_change(
    std::function<void(Phase, Event, const std::string& reason)> tell) {
  tell_ = std::move(tell);
}

void VirtualTpm::on_undone(std::function<void(CommandCode, const std::string& reason)> tell) {
  tell_undone_ = std::move(tell);
}

void VirtualTpm::on_unstored(std::function<void(Unstored, const std::string& reason)> tell) {
  tell_unstored_ = std::move(tell);
}

// -- Power --

Result<void> VirtualTpm::power_on(StoredVolatile stored) {
  MutexLock lock(mutex_);
  return power_on_locked(stored);
}

Result<bool> VirtualTpm::power_on_if_waiting() {
  MutexLock lock(mutex_);
  if (!waiting_) {
    return false;
  }
  return power_on_locked(StoredVolatile::keep).map([] { return true; });
}

Result<void> VirtualTpm::power_on_locked(StoredVolatile stored) {
  if (ending_ || !next_phase(phase_, Event::init)) {
    return failure(Errc::wrong_phase, "this TPM has ended");
  }
  take_power();
  locality_ = Locality{};  // none is active behind _TPM_Init: nobody inherits one
  ++power_cycle_;
  if (auto taken = take_storage(); !taken) {
    return power_on_failed(taken.error(), true);
  }
  auto powered = engine_.power_on(stored);
  note_unstored();
  if (!powered) {
    return power_on_failed(powered.error(), powered.error().code == Errc::not_found);
  }
  waiting_ = false;
  started_ = *powered == PoweredOn::resumed;
  enter(Event::init);
  return {};
}

Result<void> VirtualTpm::power_on_failed(Error error, bool may_wait) {
  engine_.forget_state();
  waiting_ = options_.wait_for_storage && may_wait;
  enter(waiting_ ? Event::stop : Event::fault, error.message);
  if (waiting_) {
    // What appears under the same name later is another file.
    engine_.drop_unstored();
    note_unstored();
    storage_locked_ = false;
    store_.unlock();
    error.tpm_result = static_cast<uint32_t>(rc::tpm12_retry);
  }
  return tl::unexpected(std::move(error));
}

Result<void> VirtualTpm::startup(StartupType type) {
  MutexLock lock(mutex_);
  if (auto on = require_on(); !on) {
    return on;
  }
  ResponseCode code = response_code(transmit(startup_command(version(), type), locality_));
  if (code != rc::success) {
    return failure(Errc::tpm,
                   "the TPM refused Startup: " + describe_response_code(version(), code).text(),
                   static_cast<uint32_t>(code));
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
  announce_end();
  MutexLock lock(mutex_);
  if (!next_phase(phase_, Event::shutdown)) {
    return;
  }
  take_power();
  if (storage_locked_) {
    static_cast<void>(engine_.store_unstored());
  }
  note_unstored();
  if (const Error* reason = engine_.unstored(); reason != nullptr && tell_unstored_) {
    tell_unstored_(Unstored::lost, reason->message);
  }
  enter(Event::shutdown);
}

// From here on no command begins, and the one that runs is told to end.
void VirtualTpm::announce_end() {
  MutexLock lock(cancel_mutex_);
  ending_ = true;
  canceled_ = running_;
  backoff_.interrupt();
  if (running_) {
    static_cast<void>(engine_.cancel());  // a TPM 1.2 has no such thing
  }
}

Result<void> VirtualTpm::set_version(TpmVersion version) {
  MutexLock lock(mutex_);
  if (phase_ == Phase::on || phase_ == Phase::gone) {
    return failure(Errc::wrong_phase, "the version can be changed only while the TPM is off");
  }
  engine_.power_off();  // Failed may still have it powered
  return engine_.set_version(version);
}

// The side effect on every edge that leaves a powered phase.
void VirtualTpm::take_power() {
  if (needs_shutdown()) {
    shut_down_in_order();
  }
  engine_.power_off();
  started_ = false;
  waiting_ = false;
  last_was_shutdown_ = false;
}

bool VirtualTpm::needs_shutdown() const {
  return options_.auto_shutdown && version() == TpmVersion::tpm20 && phase_ == Phase::on &&
         started_ && !last_was_shutdown_ && storage_locked_;
}

void VirtualTpm::shut_down_in_order() {
  shutting_down_ = true;
  for (ShutdownType type : {ShutdownType::state, ShutdownType::clear}) {
    if (response_code(transmit(shutdown_command(type), locality_)) == rc::success) {
      break;
    }
  }
  shutting_down_ = false;
}

Result<void> VirtualTpm::require_on() const {
  if (phase_ != Phase::on) {
    return failure(Errc::wrong_phase, "this needs a TPM that is on");
  }
  return {};
}

// For what may write as a side effect: the established flag is in a TPM 1.2's permanent state.
Result<void> VirtualTpm::require_storage() const {
  if (auto on = require_on(); !on) {
    return on;
  }
  if (!storage_locked_) {
    return failure(Errc::busy, "the storage was released");
  }
  return {};
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

// -- Commands --

VirtualTpm::Pending VirtualTpm::accept() {
  MutexLock lock(cancel_mutex_);
  ++pending_;
  unsigned power_cycle = power_cycle_;
  return {*this, power_cycle, locality_};
}

Bytes VirtualTpm::execute(Pending pending, ByteView command, std::optional<Locality> locality) {
  if (ending_) {
    return failure_response(version());  // without the lock: the end does not wait in line for it
  }
  MutexLock lock(mutex_);
  return execute_locked(std::move(pending), command, locality);
}

Bytes VirtualTpm::execute_locked(Pending pending, ByteView command,
                                 std::optional<Locality> locality) {
  busy_for_long_ = is_long_running(version(), Command(command).code());
  bool still_set = pending.power_cycle_ == power_cycle_;
  Locality chosen = locality.value_or(still_set ? pending.locality_ : Locality{});
  begin_running(std::move(pending));
  Bytes response = respond(command, chosen);
  end_running();
  busy_for_long_ = false;
  return response;
}

std::optional<LockoutState> VirtualTpm::lockout() {
  if (!mutex_.try_lock()) {
    return std::nullopt;
  }
  std::optional<LockoutState> state;
  if (version() == TpmVersion::tpm20 && phase_ == Phase::on && started_ && storage_locked_ &&
      !ending_) {
    if (auto response = engine_.execute(lockout_query(), Locality{0})) {
      state = parse_lockout(*response);
    }
    note_unstored();  // a query too can have the TPM store something of its own
  }
  mutex_.unlock();
  return state;
}

Bytes VirtualTpm::respond(ByteView command, Locality locality) {
  if (ending_) {
    return failure_response(version());
  }
  if (canceled_) {
    return error_response(version(), rc::canceled);
  }
  if (waiting_ || (phase_ == Phase::on && !storage_locked_)) {
    return not_now_response(version());
  }
  if (asks_size_before_startup(command)) {
    return buffer_size_response(engine_.buffer_size(0).size);
  }
  return transmit(command, locality);
}

bool VirtualTpm::asks_size_before_startup(ByteView command) const {
  return phase_ == Phase::on && !started_ && version() == TpmVersion::tpm20 &&
         std::ranges::equal(command, buffer_size_query());
}

// From here on a cancel means this command.
void VirtualTpm::begin_running(Pending pending) {
  MutexLock lock(cancel_mutex_);
  running_ = true;
  canceled_ = std::exchange(next_canceled_, false);
  --pending_;
  pending.tpm_ = nullptr;
}

void VirtualTpm::end_running() {
  MutexLock lock(cancel_mutex_);
  running_ = false;
  canceled_ = false;
}

Result<void> VirtualTpm::cancel() {
  MutexLock lock(cancel_mutex_);
  if (version() == TpmVersion::tpm12) {
    return engine_.cancel();
  }
  if (!running_) {
    next_canceled_ = pending_ > 0;
    return {};
  }
  // Under the lock, so that it cannot meet the command after this one.
  canceled_ = true;
  backoff_.interrupt();
  return engine_.cancel();
}

Bytes VirtualTpm::transmit(ByteView command, Locality locality) {
  Bytes response = transmit_once(command, locality);
  CommandCode code = Command(command).code();
  for (auto delay : kRetryDelays) {
    if (!is_worth_a_retry(version(), code, response_code(response))) {
      break;
    }
    busy_for_long_ = true;
    if (is_given_up() || !backoff_.wait(delay) || is_given_up()) {
      return error_response(version(), rc::canceled);
    }
    response = transmit_once(command, locality);
  }
  return response;
}

// Nobody waits for the answer any more.
bool VirtualTpm::is_given_up() const {
  return canceled_ || (ending_ && !shutting_down_);
}

Bytes VirtualTpm::transmit_once(ByteView command, Locality locality) {
  auto response = engine_.execute(command, locality, canceled_);
  note_unstored();
  if (!response) {
    return answer_to_failed(command, response.error());
  }
  Bytes copy(response->begin(), response->end());
  note_executed(command, copy);
  if (phase_ == Phase::on && engine_.in_failure_mode()) {
    enter(Event::fault, "the TPM entered failure mode");
  }
  return copy;
}

// The engine is off, or the command's change could not be stored and was undone.
Bytes VirtualTpm::answer_to_failed(ByteView command, const Error& error) {
  if (error.code == Errc::wrong_phase) {
    return failure_response(version());
  }
  if (engine_.in_failure_mode()) {
    enter(Event::fault, error.message);
    return failure_response(version());
  }
  if (tell_undone_) {
    tell_undone_(Command(command).code(), error.message);
  }
  bool tpm20 = version() == TpmVersion::tpm20;
  return error_response(version(), tpm20 ? rc::nv_unavailable : rc::tpm12_retry);
}

// Behind everything that may have changed it.
void VirtualTpm::note_unstored() {
  const Error* reason = engine_.unstored();
  bool before = has_unstored_.exchange(reason != nullptr);
  if (before == (reason != nullptr) || !tell_unstored_) {
    return;
  }
  tell_unstored_(reason != nullptr ? Unstored::kept : Unstored::stored,
                 reason != nullptr ? reason->message : std::string());
}

// Keeps what the shutdown rule asks about.
void VirtualTpm::note_executed(ByteView command, ByteView response) {
  ++commands_;
  CommandCode code = Command(command).code();
  bool succeeded = response_code(response) == rc::success;
  CommandCode startup = version() == TpmVersion::tpm20 ? cc::startup : ordinal::startup;
  last_was_shutdown_ = succeeded && code == cc::shutdown;
  started_ = started_ || (succeeded && code == startup);
}

Result<BufferSizes> VirtualTpm::buffer_size(uint32_t wanted) {
  MutexLock lock(mutex_);
  if (wanted != 0 && phase_ != Phase::off) {
    return failure(Errc::wrong_phase, "the buffer size can be changed only while the TPM is off");
  }
  return engine_.buffer_size(wanted);
}

// -- Established flag, hash interface, description --

Result<bool> VirtualTpm::established() {
  MutexLock lock(mutex_);
  auto on = require_on();
  return on ? engine_.established() : tl::unexpected(on.error());
}

Result<void> VirtualTpm::reset_established(Locality locality) {
  MutexLock lock(mutex_);
  auto possible = require_storage();
  auto done = possible ? engine_.reset_established(locality) : possible;
  note_unstored();
  return done;
}

Result<void> VirtualTpm::hash_start() {
  MutexLock lock(mutex_);
  auto possible = require_storage();
  auto done = possible ? engine_.hash_start() : possible;
  note_unstored();
  return done;
}

Result<void> VirtualTpm::hash_data(ByteView data) {
  MutexLock lock(mutex_);
  auto possible = require_storage();
  auto done = possible ? engine_.hash_data(data) : possible;
  note_unstored();
  return done;
}

Result<void> VirtualTpm::hash_end() {
  MutexLock lock(mutex_);
  auto possible = require_storage();
  auto done = possible ? engine_.hash_end() : possible;
  note_unstored();
  return done;
}

Result<std::string> VirtualTpm::info(uint64_t what) {
  MutexLock lock(mutex_);
  return engine_.info(what);
}

// -- State --

Result<Bytes> VirtualTpm::get_state(BlobKind kind) {
  MutexLock lock(mutex_);
  auto on = require_on();
  return on ? engine_.get_state(kind) : tl::unexpected(on.error());
}

Result<void> VirtualTpm::set_state(BlobKind kind, ByteView blob) {
  MutexLock lock(mutex_);
  if (phase_ == Phase::on || phase_ == Phase::gone) {
    return failure(Errc::wrong_phase, "state can be set only while the TPM is off");
  }
  if (waiting_) {
    return failure(Errc::wrong_phase, "the TPM waits for its state; power it off first");
  }
  engine_.power_off();  // Failed may still have it powered
  return engine_.set_state(kind, blob);
}

Result<void> VirtualTpm::store_volatile() {
  MutexLock lock(mutex_);
  if (auto possible = require_storage(); !possible) {
    return possible;
  }
  auto rest = engine_.store_unstored();
  note_unstored();
  if (!rest) {
    return rest;
  }
  auto blob = engine_.get_state(BlobKind::volatile_state);
  if (!blob) {
    return tl::unexpected(blob.error());
  }
  return store_.store({version(), BlobKind::volatile_state}, *blob);
}

bool VirtualTpm::store_unstored() {
  MutexLock lock(mutex_);
  if (storage_locked_ && phase_ != Phase::gone) {
    static_cast<void>(engine_.store_unstored());
    note_unstored();
  }
  return !has_unstored_ || phase_ == Phase::gone;
}

Result<void> VirtualTpm::release_storage() {
  MutexLock lock(mutex_);
  if (!storage_locked_) {
    return {};
  }
  auto rest = engine_.store_unstored();
  note_unstored();
  if (!rest) {
    return rest;
  }
  auto stored = store_.load({version(), BlobKind::permanent});
  released_state_ = stored ? std::move(*stored) : Bytes();
  storage_locked_ = false;
  store_.unlock();
  return {};
}

Result<void> VirtualTpm::lock_storage() {
  MutexLock lock(mutex_);
  bool goes_on = phase_ == Phase::on && !storage_locked_;
  if (auto taken = take_storage(); !taken) {
    return taken;
  }
  return goes_on ? refuse_changed_storage() : Result<void>();
}

Result<void> VirtualTpm::take_storage() {
  if (!storage_locked_) {
    if (auto locked = store_.lock(); !locked) {
      return locked;
    }
    storage_locked_ = true;
  }
  return {};
}

// A TPM that goes on after a hand-over that came to nothing must not overwrite what somebody else
// has done in between.
Result<void> VirtualTpm::refuse_changed_storage() {
  auto released = std::exchange(released_state_, std::nullopt);
  auto stored = store_.load({version(), BlobKind::permanent});
  bool readable = stored || stored.error().code == Errc::not_found;
  if (!released || (readable && *released == (stored ? *stored : Bytes()))) {
    return {};
  }
  engine_.power_off();
  engine_.drop_unstored();
  note_unstored();
  started_ = false;
  enter(Event::fault, readable ? "the stored state was changed by somebody else while its lock was "
                                 "released"
                               : stored.error().message);
  return failure(Errc::corrupt, failure_reason());
}

}  // namespace vtpm
