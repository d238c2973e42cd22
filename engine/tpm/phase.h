// The power cycle of a TPM: phases, events, and the table of what follows from what.
//
// docs/lifecycle.md carries the same matrix for people; a test compares the two.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace vtpm {

enum class Phase {
  off,     // no power: nothing of the TPM is in memory
  on,      // powered on (_TPM_Init was given); started or not
  failed,  // libtpms' failure mode, or no usable state; the control surface still works
  gone,    // ended for good; the process is about to exit
};

enum class Event {
  init,      // power on (INIT); while on it is a power cycle
  stop,      // power off
  shutdown,  // the end of this TPM: by SHUTDOWN or by the daemon's own end
  fault,     // power-on failed, or the TPM entered failure mode
};

inline constexpr std::array kPhases = {Phase::off, Phase::on, Phase::failed, Phase::gone};
inline constexpr std::array kEvents = {Event::init, Event::stop, Event::shutdown, Event::fault};

// Row: the phase before. Column: the event, in the order of Event. Nothing: not possible.
inline constexpr std::optional<Phase> kTransitions[kPhases.size()][kEvents.size()] = {
    // init        stop          shutdown      fault
    {Phase::on, Phase::off, Phase::gone, Phase::failed},       // off
    {Phase::on, Phase::off, Phase::gone, Phase::failed},       // on
    {Phase::on, Phase::off, Phase::gone, Phase::failed},       // failed
    {std::nullopt, std::nullopt, std::nullopt, std::nullopt},  // gone
};

constexpr std::optional<Phase> next_phase(Phase phase, Event event) {
  return kTransitions[static_cast<size_t>(phase)][static_cast<size_t>(event)];
}

std::string_view name(Phase phase);
std::string_view name(Event event);

}  // namespace vtpm
