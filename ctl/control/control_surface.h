// The dispatcher of control requests: finds the row, checks privilege and size, waits its turn if
// it has to, looks at the phase, calls the handler and gives its bytes to the one place that
// answers.
//
// Ownership: borrows the TPM (through the context), its queue and the clock. Threads: any.
// Errors: unsupported for a number without a row, denied for a caller that may not, invalid for a
// request whose size is not the number's. Everything else is a result code in the response.
#pragma once

#include <memory>
#include <utility>

#include "ctl/control/control_table.h"
#include "engine/base/alarm_clock.h"
#include "engine/base/strand.h"

namespace vtpm {

class ControlSurface {
 public:
  ControlSurface(ControlContext context, Strand& queue, AlarmClock& clock)
      : context_(std::move(context)), queue_(queue), clock_(clock) {}

  // Calls `done` exactly once with a Result<Bytes>, now or later, maybe on another thread.
  // `transfer` belongs to the open file that the request came through.
  template <class Done>
  void handle(uint32_t number, ByteView in, Privilege caller,
              std::shared_ptr<BlobTransfer> transfer, Done done) {
    auto row = admit(number, in, caller);
    if (!row) {
      done(Result<Bytes>(tl::unexpected(row.error())));
      return;
    }
    Request<Done> request{
        *row, Bytes(in.begin(), in.end()), caller, std::move(transfer), 0, std::move(done)};
    if (request.row->turn == Turn::at_once) {
      carry_out(std::move(request), {});
    } else {
      take_turn(std::move(request));
    }
  }

 private:
  template <class Done>
  struct Request {
    const ControlRow* row;
    Bytes in;
    Privilege caller;
    std::shared_ptr<BlobTransfer> transfer;
    unsigned attempt;
    Done done;
  };

  template <class Done>
  void take_turn(Request<Done> request) {
    VirtualTpm::Pending pending;
    if (request.row->turn == Turn::as_command) {
      pending = context_.tpm.accept();
    }
    queue_.run([this, request = std::move(request), pending = std::move(pending)]() mutable {
      carry_out(std::move(request), std::move(pending));
    });
  }

  template <class Done>
  void carry_out(Request<Done> request, VirtualTpm::Pending pending) {
    ControlCall call{context_, *request.transfer, request.caller, std::move(pending),
                     request.attempt};
    ControlOutcome outcome = run(*request.row, call, request.in);
    if (!outcome.retry_after) {
      request.done(Result<Bytes>(std::move(outcome.response)));
      return;
    }
    ++request.attempt;
    clock_.call_at(
        clock_.now() + *outcome.retry_after,
        [this, request = std::move(request)]() mutable { take_turn(std::move(request)); });
  }

  static Result<const ControlRow*> admit(uint32_t number, ByteView in, Privilege caller);
  static ControlOutcome run(const ControlRow& row, ControlCall& call, ByteView in);

  ControlContext context_;
  Strand& queue_;
  AlarmClock& clock_;
};

}  // namespace vtpm
