#include "engine/tpm/accepted_commands.h"

namespace vtpm {

void AcceptedCommands::forget_one() {
  MutexLock lock(mutex_);
  --pending_;
  // A cancel that meant it means no other.
  next_canceled_ = next_canceled_ && pending_ > 0;
}

AcceptedCommands::Pending AcceptedCommands::accept() {
  MutexLock lock(mutex_);
  ++pending_;
  unsigned power_cycle = power_cycle_;
  return {*this, power_cycle, locality_};
}

Ticket AcceptedCommands::begin(Pending pending, std::optional<Locality> locality) {
  bool still_set = pending.power_cycle_ == power_cycle_;
  MutexLock lock(mutex_);
  running_ = true;
  canceled_ = std::exchange(next_canceled_, false);
  --pending_;
  pending.accepted_ = nullptr;
  return {locality.value_or(still_set ? pending.locality_ : Locality{}), canceled_};
}

void AcceptedCommands::end() {
  MutexLock lock(mutex_);
  running_ = false;
  canceled_ = false;
}

Result<void> AcceptedCommands::cancel() {
  MutexLock lock(mutex_);
  if (engine_.version() == TpmVersion::tpm12) {
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

void AcceptedCommands::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  canceled_ = running_;
  backoff_.interrupt();
  if (running_) {
    static_cast<void>(engine_.cancel());  // a TPM 1.2 has no such thing
  }
}

void AcceptedCommands::begin_power_cycle() {
  locality_ = Locality{};
  ++power_cycle_;
}

}  // namespace vtpm
