#include "engine/base/lane.h"

namespace vtpm {

// One of the lane's tasks on the strand. However it ends, the lane goes on.
struct Lane::Turn {
  Turn(std::shared_ptr<Lane> on, Task what) : lane(std::move(on)), task(std::move(what)) {}
  Turn(Turn&&) = default;
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (lane) {
      task = Task();  // what it owns ends before the next one begins
      lane->go_on();
    }
  }
  void operator()() { task(); }

  std::shared_ptr<Lane> lane;
  Task task;
};

void Lane::run(Task task, Precedence precedence) {
  {
    MutexLock lock(mutex_);
    if (busy_) {
      waiting_.push_back({std::move(task), precedence});
      return;
    }
    busy_ = true;
  }
  send({std::move(task), precedence});
}

bool Lane::full() const {
  MutexLock lock(mutex_);
  return waiting_.size() >= kMostWaiting;
}

void Lane::send(Waiting next) {
  strand_.run(Turn(shared_from_this(), std::move(next.task)), next.precedence);
}

// A task that cannot be sent is dropped, and its Turn comes here again.
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
    send(std::move(*next));
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

}  // namespace vtpm
