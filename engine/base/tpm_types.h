// The field's small integers as types of their own, so that a locality cannot be passed for a
// response code.
//
// Sources: TCG TPM 2.0 Library part 2 (TPM_CC, TPM_RC, TPM_ST), TPM 1.2 Main part 2 (ordinals,
// return codes).
#pragma once

#include <cstdint>
#include <string>

namespace vtpm {

enum class TpmVersion : uint8_t { tpm12, tpm20 };

// 0 to 4; anything else is refused where it comes in.
enum class Locality : uint8_t {};
inline constexpr Locality kHighestLocality{4};

// Command code (TPM 2.0) or ordinal (TPM 1.2).
enum class CommandCode : uint32_t {};
enum class ResponseCode : uint32_t {};

enum class StartupType : uint16_t { clear = 0x0000, state = 0x0001 };
enum class ShutdownType : uint16_t { clear = 0x0000, state = 0x0001 };

// The three pieces of a TPM's state. `savestate` exists for TPM 1.2 only.
enum class BlobKind : uint8_t { permanent, volatile_state, savestate };

// One stored blob. The two TPM versions keep their state apart.
struct BlobName {
  TpmVersion version;
  BlobKind kind;
  friend bool operator==(const BlobName&, const BlobName&) = default;
};

// "0.9.2", of a version of libtpms as the library and stored states have it: major << 16 | minor <<
// 8 | micro.
inline std::string libtpms_version_text(uint32_t version) {
  return std::to_string(version >> 16) + "." + std::to_string(version >> 8 & 0xff) + "." +
         std::to_string(version & 0xff);
}

namespace rc {
inline constexpr ResponseCode success{0x000};
inline constexpr ResponseCode size{0x095};
inline constexpr ResponseCode insufficient{0x09A};
inline constexpr ResponseCode initialize{0x100};  // TPM_RC_INITIALIZE: not started, or already
inline constexpr ResponseCode failure{0x101};
inline constexpr ResponseCode command_size{0x142};
inline constexpr ResponseCode command_code{0x143};
inline constexpr ResponseCode auth_size{0x144};
inline constexpr ResponseCode auth_context{0x145};
inline constexpr ResponseCode parameter_handle{0x1CB};  // TPM_RC_HANDLE, parameter 1
inline constexpr ResponseCode context_gap{0x901};
inline constexpr ResponseCode object_memory{0x902};
inline constexpr ResponseCode session_memory{0x903};
inline constexpr ResponseCode memory{0x904};
inline constexpr ResponseCode session_handles{0x905};
inline constexpr ResponseCode object_handles{0x906};
inline constexpr ResponseCode canceled{0x909};
inline constexpr ResponseCode testing{0x90A};
inline constexpr ResponseCode reference_h0{0x910};
inline constexpr ResponseCode reference_s0{0x918};
inline constexpr ResponseCode retry{0x922};
inline constexpr ResponseCode nv_unavailable{0x923};
inline constexpr ResponseCode tpm12_fail{9};
inline constexpr ResponseCode tpm12_failed_self_test{0x1C};
inline constexpr ResponseCode tpm12_bad_tag{0x1E};           // also for commands of a TPM 2.0
inline constexpr ResponseCode tpm12_invalid_postinit{0x26};  // TPM_INVALID_POSTINIT: not started
inline constexpr ResponseCode tpm12_retry{0x800};
}  // namespace rc

namespace cc {
inline constexpr CommandCode hierarchy_control{0x121};
inline constexpr CommandCode change_eps{0x124};
inline constexpr CommandCode change_pps{0x125};
inline constexpr CommandCode clear{0x126};
inline constexpr CommandCode create_primary{0x131};
inline constexpr CommandCode pcr_event{0x13C};
inline constexpr CommandCode incremental_self_test{0x142};
inline constexpr CommandCode self_test{0x143};
inline constexpr CommandCode startup{0x144};
inline constexpr CommandCode shutdown{0x145};
inline constexpr CommandCode create{0x153};
inline constexpr CommandCode context_load{0x161};
inline constexpr CommandCode context_save{0x162};
inline constexpr CommandCode flush_context{0x165};
inline constexpr CommandCode nv_read_public{0x169};
inline constexpr CommandCode read_public{0x173};
inline constexpr CommandCode start_auth_session{0x176};
inline constexpr CommandCode get_capability{0x17A};
inline constexpr CommandCode get_random{0x17B};
inline constexpr CommandCode pcr_read{0x17E};
inline constexpr CommandCode read_clock{0x181};
inline constexpr CommandCode pcr_extend{0x182};
inline constexpr CommandCode create_loaded{0x191};
}  // namespace cc

namespace ordinal {
inline constexpr CommandCode take_ownership{0x0D};
inline constexpr CommandCode cmk_create_key{0x13};
inline constexpr CommandCode pcr_read{0x15};
inline constexpr CommandCode create_wrap_key{0x1F};
inline constexpr CommandCode get_random{0x46};
inline constexpr CommandCode self_test_full{0x50};
inline constexpr CommandCode continue_self_test{0x53};
inline constexpr CommandCode get_capability{0x65};
inline constexpr CommandCode create_endorsement_key_pair{0x78};
inline constexpr CommandCode make_identity{0x79};
inline constexpr CommandCode create_revocable_ek{0x7F};
inline constexpr CommandCode save_state{0x98};
inline constexpr CommandCode startup{0x99};
}  // namespace ordinal

}  // namespace vtpm
