// The states a TPM has, the events that move it, and two tables: what follows from what, and what
// may be done in which state.
//
// docs/lifecycle.md carries the same tables for people; a test compares them.
// Threads: constants and plain functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/base/result.h"
#include "engine/tpm/phase.h"

namespace vtpm {

enum class TpmState : uint8_t {
  off,               // no power: nothing of the TPM is in memory
  waiting,           // off, until there is a state to power on from
  on,                // powered on (_TPM_Init was given), and not started
  started,           // on, and a Startup succeeded or was resumed from
  on_released,       // on, with the storage let go for a hand-over
  started_released,  // started, with the storage let go for a hand-over
  failed,            // libtpms' failure mode, or no usable state; the control surface still works
  gone,              // ended for good; the process is about to exit
};

enum class Event : uint8_t {
  init,      // powered on, to be started; while on it is a power cycle
  resume,    // powered on from a volatile state, started already
  wait,      // power-on found no state, and is to be tried again
  startup,   // the TPM took a Startup
  release,   // the storage was let go for a hand-over
  reclaim,   // the storage is back, unchanged
  stop,      // power off
  shutdown,  // the end of this TPM: by SHUTDOWN or by the daemon's own end
  fault,     // power-on failed, or the TPM entered failure mode
};

inline constexpr std::array kStates = {
    TpmState::off,         TpmState::waiting,          TpmState::on,     TpmState::started,
    TpmState::on_released, TpmState::started_released, TpmState::failed, TpmState::gone};
inline constexpr std::array kEvents = {Event::init,    Event::resume,   Event::wait,
                                       Event::startup, Event::release,  Event::reclaim,
                                       Event::stop,    Event::shutdown, Event::fault};

// What somebody wants to do with a TPM, beside its commands and its power.
enum class Use : uint8_t {
  ask,              // for its state, its established flag
  write,            // what may end in its storage: the hash interface, the volatile state
  set_state,        // that the next power-on goes on from
  set_version,      // TPM 1.2 or 2.0
  set_buffer_size,  // for commands and responses
};
inline constexpr std::array kUses = {Use::ask, Use::write, Use::set_state, Use::set_version,
                                     Use::set_buffer_size};

// Who answers a command.
enum class CommandAnswer : uint8_t {
  by_tpm,        // or by the failure response of an engine that is off
  with_retry,    // TPM_RC_RETRY: the sender tries again
  with_failure,  // the failure response
};

// Nothing: the event changes nothing in that state.
std::optional<TpmState> next_state(TpmState state, Event event);

// Errors: wrong_phase, busy; the text says what is missing.
Result<void> check_use(TpmState state, Use use);

Phase phase_of(TpmState state);
bool is_started(TpmState state);
bool is_released(TpmState state);
CommandAnswer commands_in(TpmState state);

std::string_view name(TpmState state);
std::string_view name(Event event);
std::string_view name(Use use);
std::string_view name(CommandAnswer answered);

}  // namespace vtpm
