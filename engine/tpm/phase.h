// What a TPM's state is reported as, by the control requests and to the people who run it. The
// states themselves are in lifecycle.h.
#pragma once

#include <array>
#include <string_view>

namespace vtpm {

enum class Phase {
  off,     // no power: nothing of the TPM is in memory
  on,      // powered on (_TPM_Init was given); started or not
  failed,  // libtpms' failure mode, or no usable state; the control surface still works
  gone,    // ended for good; the process is about to exit
};

inline constexpr std::array kPhases = {Phase::off, Phase::on, Phase::failed, Phase::gone};

std::string_view name(Phase phase);

}  // namespace vtpm
