#include "engine/tpm/virtual_tpm.h"

#include <utility>

#include "engine/command/codec.h"
#include "engine/command/command_traits.h"

namespace vtpm {

VirtualTpm::VirtualTpm(Engine& engine, StateStore& store, Backoff& backoff,
                       VirtualTpmOptions options)
    : engine_(engine),
      store_(store),
      power_(events_),
      storage_(engine, store, events_),
      accepted_(engine, backoff),
      runner_(engine, power_, storage_, events_),
      retry_(runner_, engine, backoff),
      gate_(retry_, engine, power_, accepted_),
      resources_(gate_, options.resources),
      power_cycle_({engine, power_, storage_, accepted_, runner_, resources_, gate_}, options) {}

Result<void> VirtualTpm::check(Use use) const {
  return check_use(power_.state(), use);
}

// -- Power --

Result<void> VirtualTpm::power_on(StoredVolatile stored) {
  MutexLock lock(mutex_);
  hash_began_.reset();
  last_lockout_.reset();
  return power_cycle_.power_on(stored);
}

Result<bool> VirtualTpm::power_on_if_waiting() {
  MutexLock lock(mutex_);
  if (power_.state() != TpmState::waiting) {
    return false;
  }
  return power_cycle_.power_on(StoredVolatile::keep).map([] { return true; });
}

Result<void> VirtualTpm::startup(StartupType type) {
  MutexLock lock(mutex_);
  if (!power_.on()) {
    return failure(Errc::wrong_phase, "this needs a TPM that is on");
  }
  return power_cycle_.startup(type);
}

void VirtualTpm::power_off() {
  MutexLock lock(mutex_);
  power_cycle_.power_off();
}

void VirtualTpm::end() {
  accepted_.close();
  MutexLock lock(mutex_);
  power_cycle_.end();
}

Result<void> VirtualTpm::set_version(TpmVersion version) {
  MutexLock lock(mutex_);
  if (auto possible = check(Use::set_version); !possible) {
    return possible;
  }
  engine_.power_off();  // Failed may still have it powered
  auto set = engine_.set_version(version);
  resources_.forget_all();
  return set;
}

// -- Commands --

Bytes VirtualTpm::execute(const Pending& pending, ByteView command,
                          std::optional<Locality> locality) {
  if (accepted_.closed()) {
    return failure_response(version());  // without the lock: the end does not wait in line for it
  }
  MutexLock lock(mutex_);
  return send(resources_.raw(), pending, command, locality);
}

std::unique_ptr<VirtualTpm::Space> VirtualTpm::open_space(SpaceOwner owner) {
  MutexLock lock(mutex_);
  return std::make_unique<Space>(*this, resources_.open_space(owner));
}

VirtualTpm::Space::~Space() {
  MutexLock lock(tpm_.mutex_);
  port_.reset();
}

Bytes VirtualTpm::Space::execute(const Pending& pending, ByteView command) {
  if (tpm_.accepted_.closed()) {
    return failure_response(TpmVersion::tpm20);
  }
  MutexLock lock(tpm_.mutex_);
  if (tpm_.version() == TpmVersion::tpm12) {
    return error_response(TpmVersion::tpm12, rc::tpm12_bad_tag);
  }
  return tpm_.send(*port_, pending, command, Locality{0});
}

// What the gate answers of its own comes before what a space knows without asking the TPM.
Bytes VirtualTpm::send(CommandPort& way, const Pending& pending, ByteView command,
                       std::optional<Locality> locality) {
  Command parsed(command);
  runs_long_ = is_long_running(version(), parsed.code());
  Ticket ticket = accepted_.begin(pending, locality);
  struct CommandEnd {  // also by an exception
    AcceptedCommands& accepted;
    std::atomic<bool>& runs_long;
    ~CommandEnd() {
      accepted.end();
      runs_long = false;
    }
  } end{accepted_, runs_long_};
  if (auto refused = gate_.refusal(ticket)) {
    return std::move(*refused);
  }
  return way.transmit(parsed, ticket);
}

std::optional<LockoutState> VirtualTpm::lockout() {
  if (!mutex_.try_lock()) {
    return std::nullopt;
  }
  std::optional<LockoutState> state;
  if (version() == TpmVersion::tpm20 && power_.state() == TpmState::started &&
      !accepted_.closed()) {
    if (!hash_sequence_is_open()) {
      auto response = engine_.query(lockout_query());
      last_lockout_ = response ? parse_lockout(*response) : std::nullopt;
      storage_.note_unstored();  // a query too can have the TPM want something of its own stored
    }
    state = last_lockout_;
  }
  mutex_.unlock();
  return state;
}

bool VirtualTpm::hash_sequence_is_open() const {
  return hash_began_ == runner_.commands();
}

Result<BufferSizes> VirtualTpm::buffer_size(uint32_t wanted) {
  MutexLock lock(mutex_);
  if (auto possible = check(Use::set_buffer_size); wanted != 0 && !possible) {
    return tl::unexpected(possible.error());
  }
  return engine_.buffer_size(wanted);
}

// -- Established flag, hash interface, description --

Result<bool> VirtualTpm::established() {
  MutexLock lock(mutex_);
  auto on = check(Use::ask);
  return on ? engine_.established() : tl::unexpected(on.error());
}

Result<void> VirtualTpm::reset_established(Locality locality) {
  MutexLock lock(mutex_);
  auto possible = check(Use::write);
  auto done = possible ? engine_.reset_established(locality) : possible;
  storage_.note_unstored();
  return done;
}

Result<void> VirtualTpm::hash_start() {
  MutexLock lock(mutex_);
  auto possible = check(Use::write);
  auto done = possible ? engine_.hash_start() : possible;
  if (done) {
    hash_began_ = runner_.commands();
  }
  storage_.note_unstored();
  return done;
}

Result<void> VirtualTpm::hash_data(ByteView data) {
  MutexLock lock(mutex_);
  auto possible = check(Use::write);
  auto done = possible ? engine_.hash_data(data) : possible;
  storage_.note_unstored();
  return done;
}

Result<void> VirtualTpm::hash_end() {
  MutexLock lock(mutex_);
  auto possible = check(Use::write);
  auto done = possible ? engine_.hash_end() : possible;
  if (done) {
    hash_began_.reset();
  }
  storage_.note_unstored();
  return done;
}

Result<std::string> VirtualTpm::info(uint64_t what) {
  MutexLock lock(mutex_);
  return engine_.info(what);
}

// -- State --

Result<Bytes> VirtualTpm::get_state(BlobKind kind) {
  MutexLock lock(mutex_);
  auto on = check(Use::ask);
  if (on && kind == BlobKind::volatile_state) {
    resources_.yield_slots();
  }
  return on ? engine_.get_state(kind) : tl::unexpected(on.error());
}

Result<void> VirtualTpm::set_state(BlobKind kind, ByteView blob) {
  MutexLock lock(mutex_);
  if (auto possible = check(Use::set_state); !possible) {
    return possible;
  }
  engine_.power_off();  // Failed may still have it powered
  auto set = engine_.set_state(kind, blob);
  resources_.forget_all();
  return set;
}

Result<void> VirtualTpm::store_volatile() {
  MutexLock lock(mutex_);
  auto possible = check(Use::write);
  if (possible) {
    resources_.yield_slots();
  }
  return possible ? storage_.store_volatile() : possible;
}

bool VirtualTpm::store_unstored() {
  MutexLock lock(mutex_);
  if (storage_.held() && power_.state() != TpmState::gone) {
    static_cast<void>(storage_.store_unstored());
  }
  return !storage_.has_unstored() || power_.state() == TpmState::gone;
}

Result<void> VirtualTpm::release_storage() {
  MutexLock lock(mutex_);
  auto released = storage_.release();
  if (released) {
    power_.enter(Event::release);
  }
  return released;
}

Result<void> VirtualTpm::lock_storage() {
  MutexLock lock(mutex_);
  if (auto taken = storage_.take(); !taken) {
    return taken;
  }
  return is_released(power_.state()) ? power_cycle_.reclaim_storage() : Result<void>();
}

}  // namespace vtpm
