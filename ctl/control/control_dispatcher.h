// The dispatcher of control requests: checks the caller's rights, waits the request's turn if it
// has to, looks at the phase, calls the handler and gives its answer to whoever asked. It knows
// requests as values; what they looked like in a protocol is the codec's.
//
// Requests of one open file are carried out in its order; those that only a controller may ask go
// before the commands of everybody else that wait, so that no number of them keeps a TPM from being
// reset, stopped or saved.
//
// Ownership: borrows the TPM (through the context), its strand and the clock; shares callers'
// lanes. A request and its `done` are the dispatcher's from dispatch() until the answer.
// Threads: any.
//
// Answers: `done` is called exactly once with a Result<ControlAnswer>, now or later, maybe on
// another thread. Errors: without a TPM result code denied for a caller that may not, and busy for
// one that has too many requests waiting; every other one has the TPM result code that the request
// is refused with.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "ctl/control/control_table.h"
#include "engine/base/alarm_clock.h"
#include "engine/base/lane.h"
#include "engine/base/strand.h"

namespace vtpm {

// Whose request it is.
struct ControlCaller {
  ControlCaller(Privilege may, std::shared_ptr<Lane> in = nullptr)  // NOLINT: meant to convert
      : privilege(may), lane(std::move(in)) {}

  Privilege privilege;
  std::shared_ptr<Lane> lane;  // its open file's; nothing: each request is a source of its own
};

class ControlDispatcher {
 public:
  ControlDispatcher(ControlContext context, Strand& strand, AlarmClock& clock)
      : context_(context), strand_(strand), clock_(clock) {}

  // For the requests of one source.
  [[nodiscard]] std::shared_ptr<Lane> new_lane() const { return std::make_shared<Lane>(strand_); }

  template <class Done>
  void dispatch(ControlRequest request, const ControlCaller& caller, Done done) {
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
  void dispatch(const ControlRow& row, const ControlCaller& caller, Make make, Done done) {
    if (auto permitted = admit(row, caller); !permitted) {
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
    ControlCaller caller;
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
    auto lane = waiting.caller.lane ? waiting.caller.lane : new_lane();
    Precedence precedence = precedence_of(*waiting.row, waiting.caller);
    lane->run([this, waiting = std::move(waiting),
               pending]() mutable { carry_out(std::move(waiting), pending); },
              precedence);
  }

  template <class Make, class Done>
  void carry_out(Waiting<Make, Done> waiting, VirtualTpm::Pending pending) {
    ControlCall call{context_, waiting.caller.privilege, pending, waiting.attempt};
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

  // Errors: denied, busy.
  static Result<void> admit(const ControlRow& row, const ControlCaller& caller);
  static Precedence precedence_of(const ControlRow& row, const ControlCaller& caller);

  // The phase is looked at when the request's turn has come, not when it arrived.
  [[nodiscard]] Result<void> check_phase(const ControlRow& row) const;
  [[nodiscard]] ControlOutcome handle(const ControlRow& row, ControlCall& call,
                                      const ControlRequest& request) const;

  ControlContext context_;
  Strand& strand_;
  AlarmClock& clock_;
};

}  // namespace vtpm
