#include "engine/base/strand.h"

#include <exception>

namespace vtpm {

void Strand::run(Task task, Precedence precedence) {
  {
    MutexLock lock(mutex_);
    if (busy_) {
      (precedence == Precedence::first ? first_ : waiting_).push_back(std::move(task));
      return;
    }
    busy_ = true;
  }
  std::exception_ptr failure;
  while (task) {
    try {
      task();
    } catch (...) {
      failure = std::current_exception();
    }
    task = Task();  // it may hold the last reference to an open file: ended outside the lock
    MutexLock lock(mutex_);
    task = next();
    busy_ = static_cast<bool>(task);
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

// None when none waits.
Task Strand::next() {
  Task task;
  auto& line = first_.empty() ? waiting_ : first_;
  if (!line.empty()) {
    task = std::move(line.front());
    line.pop_front();
  }
  return task;
}

}  // namespace vtpm
