// The TPM result codes that control requests are refused with, in every protocol; others come from
// the TPM itself. <vtpm/ioctl.h> has the same as VTPM_RESULT_*, which ioctl_codec.cpp compares.
//
// Source: TPM 1.2 Main part 2 (return codes), as swtpm uses them.
#pragma once

#include <cstdint>

namespace vtpm::control_result {

inline constexpr uint32_t success = 0x00;
inline constexpr uint32_t bad_parameter = 0x03;
inline constexpr uint32_t fail = 0x09;
inline constexpr uint32_t bad_ordinal = 0x0a;  // not possible in the TPM's present phase
inline constexpr uint32_t size = 0x17;         // more than a blob may have
inline constexpr uint32_t bad_datasize = 0x2b;
inline constexpr uint32_t bad_locality = 0x3d;
inline constexpr uint32_t tpm2_failure = 0x101;
inline constexpr uint32_t retry = 0x800;  // not there, or not now

}  // namespace vtpm::control_result
