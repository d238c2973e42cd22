// Handles as the resource manager tells them apart.
//
// Source: TPM 2.0 Library part 2 sections 7.2 to 7.5 (TPM_HT, TPM_RH).
// Threads: plain values.
#pragma once

#include <cstdint>

namespace vtpm {

// What the TPM itself calls a thing.
enum class TpmHandle : uint32_t {};

// What the opener of a space calls a transient object or a sequence.
enum class VirtualHandle : uint32_t {};

inline constexpr uint32_t kFirstTransient = 0x80000000;

constexpr uint8_t handle_type(uint32_t handle) {
  return static_cast<uint8_t>(handle >> 24);
}
constexpr bool is_transient(uint32_t handle) {
  return handle_type(handle) == 0x80;
}
// HMAC and policy sessions; saved ones have the same handles.
constexpr bool is_session(uint32_t handle) {
  return handle_type(handle) == 0x02 || handle_type(handle) == 0x03;
}
// The TPM counts sessions of both kinds in one row.
constexpr uint32_t session_index(TpmHandle handle) {
  return static_cast<uint32_t>(handle) & 0x00FFFFFF;
}

}  // namespace vtpm
