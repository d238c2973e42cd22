#include "engine/base/lane.h"

#include <optional>

namespace vtpm {

bool Lane::begin_turn() {
  MutexLock lock(mutex_);
  return !std::exchange(busy_, true);
}

void Lane::wait(Task task, Precedence precedence) {
  {
    MutexLock lock(mutex_);
    if (busy_) {
      waiting_.push_back({std::move(task), precedence});
      return;
    }
    busy_ = true;  // the other one has ended meanwhile
  }
  send(std::move(task), precedence);
}

bool Lane::full() const {
  MutexLock lock(mutex_);
  return waiting_.size() >= kMostWaiting;
}

// A task that cannot be sent is dropped, and its Hold comes here again.
void Lane::go_on() noexcept {
  std::optional<Waiting> next;
  {
    MutexLock lock(mutex_);
    busy_ = !waiting_.empty();
    if (!busy_) {
      return;
    }
    next.emplace(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  try {
    send(std::move(next->task), next->precedence);
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

}  // namespace vtpm
