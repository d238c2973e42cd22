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
#include <type_traits>
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
  template <class Callable>
  void run(Callable&& callable, Precedence precedence = Precedence::ordinary) {
    if (begin_turn()) {
      send(std::forward<Callable>(callable), precedence);
    } else {
      wait(Task(std::forward<Callable>(callable)), precedence);
    }
  }

  // As many wait as may: the source is to be refused more. A hint among threads, which may all see
  // the last place.
  [[nodiscard]] bool full() const;

 private:
  // The lane is one task's. However that ends, the lane goes on when this is gone.
  class Hold {
   public:
    explicit Hold(std::shared_ptr<Lane> lane) : lane_(std::move(lane)) {}
    Hold(Hold&&) = default;
    Hold& operator=(Hold&&) = delete;
    ~Hold() {
      if (lane_) {
        lane_->go_on();
      }
    }

   private:
    std::shared_ptr<Lane> lane_;
  };

  // What the task owns ends before the next one begins: members end in the reverse order.
  template <class Callable>
  struct OnStrand {
    void operator()() { callable(); }
    Hold hold;
    Callable callable;
  };

  struct Waiting {
    Task task;
    Precedence precedence;
  };

  // False while the lane is another task's.
  bool begin_turn();
  void wait(Task task, Precedence precedence);
  void go_on() noexcept;

  template <class Callable>
  void send(Callable&& callable, Precedence precedence) {
    using Kept = OnStrand<std::remove_cvref_t<Callable>>;
    strand_.run(Kept{Hold(shared_from_this()), std::forward<Callable>(callable)}, precedence);
  }

  Strand& strand_;
  mutable Mutex mutex_;
  bool busy_ VTPM_GUARDED_BY(mutex_) = false;
  std::deque<Waiting> waiting_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
