#include "engine/tpm/power_state.h"

namespace vtpm {

std::string PowerState::failure_reason() const {
  MutexLock lock(reason_mutex_);
  return failure_reason_;
}

void PowerState::enter(Event event, const std::string& reason) {
  auto next = next_state(state_, event);
  if (!next) {
    return;
  }
  state_ = *next;
  {
    MutexLock lock(reason_mutex_);
    failure_reason_ = reason;
  }
  listener_.on_state_change(*next, event, reason);
}

}  // namespace vtpm
