// The order among the requests of one source, such as an open file: they are carried out one behind
// the other, and at most one of them stands in the strand's line at a time. So a source that asks
// for much waits for itself, and everybody else for one of its requests at most.
//
// Ownership: shared by the source and its requests; borrows the strand. Threads: any; a lock of its
// own, a leaf. Errors: none; a task that throws, or for which there is no memory, is dropped, and
// the next one goes on.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "engine/base/mutex.h"
#include "engine/base/strand.h"
#include "engine/base/task.h"

namespace vtpm {

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  // More is not sent at once by anybody who waits for answers.
  static constexpr size_t kMostWaiting = 256;

  explicit Lane(Strand& strand) : strand_(strand) {}

  // On the strand, once all that came before on this lane has ended.
  void run(Task task, Precedence precedence = Precedence::ordinary);

  // As many wait as may: the source is to be refused more. A hint among threads, which may all see
  // the last place.
  [[nodiscard]] bool full() const;

 private:
  struct Turn;
  struct Waiting {
    Task task;
    Precedence precedence;
  };

  void send(Waiting next);
  void go_on() noexcept;

  Strand& strand_;
  mutable Mutex mutex_;
  bool busy_ VTPM_GUARDED_BY(mutex_) = false;
  std::deque<Waiting> waiting_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
