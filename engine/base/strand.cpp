#include "engine/base/strand.h"

#include <exception>

namespace vtpm {

void Strand::run(Task task) {
  {
    MutexLock lock(mutex_);
    if (busy_) {
      waiting_.push_back(std::move(task));
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
    if (waiting_.empty()) {
      busy_ = false;
    } else {
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

}  // namespace vtpm
