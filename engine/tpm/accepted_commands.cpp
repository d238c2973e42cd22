#include "engine/tpm/accepted_commands.h"

namespace vtpm {

AcceptedCommands::Pending AcceptedCommands::accept() {
  MutexLock lock(mutex_);
  unsigned power_cycle = power_cycle_;
  return {++accepted_, power_cycle, locality_};
}

Ticket AcceptedCommands::begin(const Pending& pending, std::optional<Locality> locality) {
  bool still_set = pending.power_cycle_ == power_cycle_;
  MutexLock lock(mutex_);
  running_ = true;
  canceled_ = pending.number_ <= next_canceled_;
  if (canceled_) {
    next_canceled_ = 0;
  }
  Ticket ticket{locality.value_or(still_set ? pending.locality_ : Locality{}), canceled_};
  ticket.lost = pending.power_cycle_ < oldest_alive_;
  return ticket;
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
    next_canceled_ = accepted_;
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

void AcceptedCommands::begin_power_cycle(Waiting waiting) {
  locality_ = Locality{};
  unsigned begun = ++power_cycle_;
  if (waiting == Waiting::lost) {
    oldest_alive_ = begun;
  }
}

}  // namespace vtpm
