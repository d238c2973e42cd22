#include "engine/tpm/lifecycle.h"

namespace vtpm {
namespace {

using enum TpmState;
using Next = std::optional<TpmState>;

constexpr Next kNone;

// Row: the state before. Column: the event, in the order of Event.
constexpr Next kTransitions[kStates.size()][kEvents.size()] = {
    // init resume  wait   startup release        reclaim stop shutdown fault
    {on, started, waiting, kNone, kNone, kNone, off, gone, failed},             // off
    {on, started, waiting, kNone, kNone, kNone, off, gone, failed},             // waiting
    {on, started, waiting, started, on_released, kNone, off, gone, failed},     // on
    {on, started, waiting, kNone, started_released, kNone, off, gone, failed},  // started
    {on, started, waiting, kNone, kNone, on, off, gone, failed},                // on_released
    {on, started, waiting, kNone, kNone, started, off, gone, failed},           // started_released
    {on, started, waiting, kNone, kNone, kNone, off, gone, failed},             // failed
    {kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone},            // gone
};

constexpr unsigned bit(Use use) {
  return 1U << static_cast<unsigned>(use);
}
constexpr unsigned kAsk = bit(Use::ask);
constexpr unsigned kWrite = bit(Use::write);
constexpr unsigned kSetState = bit(Use::set_state);
constexpr unsigned kSetVersion = bit(Use::set_version);
constexpr unsigned kSetBufferSize = bit(Use::set_buffer_size);

struct Row {
  std::string_view name;
  Phase phase;
  CommandAnswer commands;
  unsigned allowed;
};

constexpr Row kRows[kStates.size()] = {
    {"off", Phase::off, CommandAnswer::by_tpm, kSetState | kSetVersion | kSetBufferSize},
    {"waiting", Phase::off, CommandAnswer::with_retry, kSetVersion | kSetBufferSize},
    {"on", Phase::on, CommandAnswer::by_tpm, kAsk | kWrite},
    {"started", Phase::on, CommandAnswer::by_tpm, kAsk | kWrite},
    {"on_released", Phase::on, CommandAnswer::with_retry, kAsk},
    {"started_released", Phase::on, CommandAnswer::with_retry, kAsk},
    {"failed", Phase::failed, CommandAnswer::by_tpm, kSetState | kSetVersion},
    {"gone", Phase::gone, CommandAnswer::with_failure, 0},
};

constexpr const Row& row_of(TpmState state) {
  return kRows[static_cast<size_t>(state)];
}

}  // namespace

std::optional<TpmState> next_state(TpmState state, Event event) {
  return kTransitions[static_cast<size_t>(state)][static_cast<size_t>(event)];
}

Result<void> check_use(TpmState state, Use use) {
  if ((row_of(state).allowed & bit(use)) != 0) {
    return {};
  }
  switch (use) {
    case Use::ask:
      break;
    case Use::write:
      if (is_released(state)) {
        return failure(Errc::busy, "the storage was released");
      }
      break;
    case Use::set_state:
      return failure(Errc::wrong_phase, state == waiting
                                            ? "the TPM waits for its state; power it off first"
                                            : "state can be set only while the TPM is off");
    case Use::set_version:
      return failure(Errc::wrong_phase, "the version can be changed only while the TPM is off");
    case Use::set_buffer_size:
      return failure(Errc::wrong_phase, "the buffer size can be changed only while the TPM is off");
  }
  return failure(Errc::wrong_phase, "this needs a TPM that is on");
}

Phase phase_of(TpmState state) {
  return row_of(state).phase;
}

bool is_started(TpmState state) {
  return state == started || state == started_released;
}

bool is_released(TpmState state) {
  return state == on_released || state == started_released;
}

CommandAnswer commands_in(TpmState state) {
  return row_of(state).commands;
}

std::string_view name(TpmState state) {
  return row_of(state).name;
}

std::string_view name(Event event) {
  constexpr std::string_view kNames[kEvents.size()] = {
      "init", "resume", "wait", "startup", "release", "reclaim", "stop", "shutdown", "fault"};
  return kNames[static_cast<size_t>(event)];
}

std::string_view name(Use use) {
  constexpr std::string_view kNames[kUses.size()] = {"ask", "write", "set state", "set version",
                                                     "set buffer size"};
  return kNames[static_cast<size_t>(use)];
}

std::string_view name(CommandAnswer answered) {
  constexpr std::string_view kNames[] = {"the TPM's", "TPM_RC_RETRY", "the failure response"};
  return kNames[static_cast<size_t>(answered)];
}

}  // namespace vtpm
