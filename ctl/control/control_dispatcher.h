// The dispatcher of control requests: checks the caller's rights, waits the request's turn if it
// has to, looks at the phase, calls the handler and gives its answer to whoever asked. It knows
// requests as values; what they looked like in a protocol is the codec's.
//
// Ownership: borrows the TPM (through the context), its strand and the clock. A request and its
// `done` are the dispatcher's from dispatch() until the answer. Threads: any.
//
// Answers: `done` is called exactly once with a Result<ControlAnswer>, now or later, maybe on
// another thread. Errors: denied without a TPM result code for a caller that may not; every other
// one has the TPM result code that the request is refused with.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "ctl/control/control_table.h"
#include "engine/base/alarm_clock.h"
#include "engine/base/strand.h"

namespace vtpm {

class ControlDispatcher {
 public:
  ControlDispatcher(ControlContext context, Strand& strand, AlarmClock& clock)
      : context_(context), strand_(strand), clock_(clock) {}

  template <class Done>
  void dispatch(ControlRequest request, Privilege caller, Done done) {
    const ControlRow& row = control_table()[request.index()];
    dispatch(
        row, caller, [request = std::move(request)]() mutable { return Made(std::move(request)); },
        std::move(done));
  }

  // For a request that arrives in pieces: `make` gives its value once its turn has come and it is
  // possible, is called at most once, and returns Made. Nothing: this was not the last piece, and
  // `done` gets std::monostate. Its errors carry a TPM result code.
  using Made = Result<std::optional<ControlRequest>>;
  template <class Make, class Done>
  void dispatch(const ControlRow& row, Privilege caller, Make make, Done done) {
    if (auto permitted = permit(row, caller); !permitted) {
      done(Result<ControlAnswer>(tl::unexpected(permitted.error())));
      return;
    }
    Waiting<Make, Done> waiting{&row, caller, std::move(make), {}, 0, std::move(done)};
    if (row.turn == Turn::at_once) {
      carry_out(std::move(waiting), {});
    } else {
      take_turn(std::move(waiting));
    }
  }

  // What dispatch() looks at first. Errors: denied.
  static Result<void> permit(const ControlRow& row, Privilege caller);

 private:
  template <class Make, class Done>
  struct Waiting {
    const ControlRow* row;
    Privilege caller;
    Make make;
    std::optional<ControlRequest> request;  // once it was made
    unsigned attempt;
    Done done;
  };

  template <class Make, class Done>
  void take_turn(Waiting<Make, Done> waiting) {
    VirtualTpm::Pending pending;
    if (waiting.row->turn == Turn::as_command) {
      pending = context_.tpm.accept();
    }
    strand_.run([this, waiting = std::move(waiting), pending = std::move(pending)]() mutable {
      carry_out(std::move(waiting), std::move(pending));
    });
  }

  template <class Make, class Done>
  void carry_out(Waiting<Make, Done> waiting, VirtualTpm::Pending pending) {
    ControlCall call{context_, waiting.caller, std::move(pending), waiting.attempt};
    ControlOutcome outcome = attempt(waiting, call);
    if (auto* answer = std::get_if<Result<ControlAnswer>>(&outcome)) {
      waiting.done(std::move(*answer));
      return;
    }
    ++waiting.attempt;
    clock_.call_at(
        clock_.now() + std::get<Again>(outcome).delay,
        [this, waiting = std::move(waiting)]() mutable { take_turn(std::move(waiting)); });
  }

  template <class Make, class Done>
  ControlOutcome attempt(Waiting<Make, Done>& waiting, ControlCall& call) {
    if (auto possible = check_phase(*waiting.row); !possible) {
      return Result<ControlAnswer>(tl::unexpected(possible.error()));
    }
    if (!waiting.request) {
      Made made = waiting.make();
      if (!made || !*made) {
        return made.map([](const auto& /*nothing*/) { return ControlAnswer(); });
      }
      waiting.request = std::move(*made);
    }
    return handle(*waiting.row, call, *waiting.request);
  }

  // The phase is looked at when the request's turn has come, not when it arrived.
  [[nodiscard]] Result<void> check_phase(const ControlRow& row) const;
  [[nodiscard]] ControlOutcome handle(const ControlRow& row, ControlCall& call,
                                      const ControlRequest& request) const;

  ControlContext context_;
  Strand& strand_;
  AlarmClock& clock_;
};

}  // namespace vtpm
