// Capabilities and properties that the resource manager treats in a way of their own.
//
// Source: TPM 2.0 Library part 2 sections 6.12 (TPM_CAP), 6.13 (TPM_PT).
#pragma once

#include <cstdint>

namespace vtpm {

namespace capability {
inline constexpr uint32_t kHandles = 1;
inline constexpr uint32_t kCommands = 2;
inline constexpr uint32_t kTpmProperties = 6;
}  // namespace capability

namespace property {
inline constexpr uint32_t kTransientMin = 0x10E;
inline constexpr uint32_t kLoadedMin = 0x110;
inline constexpr uint32_t kActiveSessionsMax = 0x111;
inline constexpr uint32_t kContextGapMax = 0x114;
inline constexpr uint32_t kLoaded = 0x203;
inline constexpr uint32_t kLoadedAvailable = 0x204;
inline constexpr uint32_t kActive = 0x205;
inline constexpr uint32_t kActiveAvailable = 0x206;
inline constexpr uint32_t kTransientAvailable = 0x207;
}  // namespace property

}  // namespace vtpm
