// The line in which requests wait for their TPM, so that no thread has to.
//
// A task runs at once, on the calling thread, when nothing runs; otherwise it is kept and runs
// later on the thread that is busy now, in the order of arrival, those that go first before the
// others. So at most one thread at a time is occupied by the TPM, and every other thread stays free
// for polls, cancels and queries, however many commands wait.
//
// Ownership: the strand owns a task until it ran; tasks that still wait when it is destroyed are
// dropped. Threads: any. A task may call run(): the new task then comes after it, not within it.
// Errors: a task that throws does not keep the others from running; what the last of them threw
// comes out of the run() whose thread ran it, once no task is left.
#pragma once

#include <deque>

#include "engine/base/mutex.h"
#include "engine/base/task.h"

namespace vtpm {

enum class Precedence {
  ordinary,
  first,  // before all ordinary tasks that wait; for what only those ask that may do anything here
};

class Strand {
 public:
  void run(Task task, Precedence precedence = Precedence::ordinary);

 private:
  [[nodiscard]] Task next() VTPM_REQUIRES(mutex_);

  Mutex mutex_;
  bool busy_ VTPM_GUARDED_BY(mutex_) = false;
  std::deque<Task> first_ VTPM_GUARDED_BY(mutex_);
  std::deque<Task> waiting_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
