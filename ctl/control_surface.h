// The dispatcher of control requests: finds the row, checks privilege and phase, waits its turn if
// it has to, calls the handler and gives its bytes to the one place that answers.
//
// Ownership: borrows the TPM (through the context) and its queue. Threads: any.
// Errors: unsupported for a number without a row, denied for an opener that may not control,
// invalid for a request whose size is not the number's.
#pragma once

#include <utility>

#include "ctl/control_table.h"
#include "engine/command_queue.h"

namespace vtpm {

class ControlSurface {
 public:
  ControlSurface(ControlContext context, CommandQueue& queue)
      : context_(std::move(context)), queue_(queue) {}

  // Calls `done` exactly once with a Result<Bytes>, now or later, maybe on another thread.
  template <class Done>
  void handle(uint32_t number, ByteView in, Privilege caller, Done done) {
    auto row = admit(number, in, caller);
    if (!row) {
      done(Result<Bytes>(tl::unexpected(row.error())));
    } else if ((*row)->turn == Turn::at_once) {
      done(run(**row, in));
    } else {
      queue_.run([this, row = *row, kept = Bytes(in.begin(), in.end()),
                  done = std::move(done)]() mutable { done(run(*row, kept)); });
    }
  }

 private:
  static Result<const ControlRow*> admit(uint32_t number, ByteView in, Privilege caller);
  Result<Bytes> run(const ControlRow& row, ByteView in);

  ControlContext context_;
  CommandQueue& queue_;
};

}  // namespace vtpm
