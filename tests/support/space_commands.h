// TPM 2.0 commands about objects, sequences, sessions and contexts, and what their responses hold.
//
// Keys are HMAC keys of the null hierarchy, which are made quickly and tell which of them was used;
// without dictionary-attack protection, whose first use a TPM wants sent again.
#pragma once

#include <string_view>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/command/codec.h"
#include "engine/command/marshal.h"
#include "engine/resource_manager/capabilities.h"
#include "engine/resource_manager/codes.h"
#include "tests/support/hex.h"

namespace vtpm {

namespace cc {
inline constexpr CommandCode evict_control{0x120};
inline constexpr CommandCode sequence_complete{0x13E};
inline constexpr CommandCode hmac{0x155};
inline constexpr CommandCode load{0x157};
inline constexpr CommandCode hmac_start{0x15B};
inline constexpr CommandCode sequence_update{0x15C};
inline constexpr CommandCode load_external{0x167};
inline constexpr CommandCode policy_command_code{0x16C};
inline constexpr CommandCode policy_restart{0x180};
inline constexpr CommandCode event_sequence_complete{0x185};
inline constexpr CommandCode hash_sequence_start{0x186};
inline constexpr CommandCode policy_get_digest{0x189};
}  // namespace cc

enum class SessionKind : uint8_t { hmac = 0, policy = 1, trial = 3 };

inline Bytes u32_bytes(uint32_t value) {
  return BigEndianWriter().u32(value).take();
}
inline Bytes sized(ByteView bytes) {
  return BigEndianWriter().u16(static_cast<uint16_t>(bytes.size())).bytes(bytes).take();
}

inline constexpr uint32_t kNullHierarchy = 0x40000007;
inline constexpr uint32_t kOwnerHierarchy = 0x40000001;

// The public area of an HMAC key; `which` makes it differ from others.
inline Bytes hmac_key_template(uint8_t which) {
  Bytes unique(32, std::byte{which});
  return sized(BigEndianWriter()
                   .bytes(hex("0008 000b 00040472 0000 0005 000b"))
                   .bytes(sized(unique))
                   .take());
}

inline Bytes make_key(uint8_t which, uint32_t hierarchy = kNullHierarchy) {
  Bytes parameters = BigEndianWriter()
                         .bytes(hex("0004 0000 0000"))  // no authorisation value, no data
                         .bytes(hmac_key_template(which))
                         .bytes(hex("0000 00000000"))  // no outside information, no PCRs
                         .take();
  return tpm2_command_with_password(cc::create_primary, u32_bytes(hierarchy), parameters);
}

// A storage key, which others can be loaded under.
inline Bytes make_parent(uint32_t hierarchy = kNullHierarchy) {
  return tpm2_command_with_password(
      cc::create_primary, u32_bytes(hierarchy),
      hex("0004 0000 0000 001a 0023 000b 00030472 0000 0006 0080 0043 0010 0003 0010 0000 0000"
          "0000 00000000"));
}

// TPM2_Create of an HMAC key.
inline Bytes create_child(uint32_t parent, uint8_t which) {
  Bytes parameters = BigEndianWriter()
                         .bytes(hex("0004 0000 0000"))
                         .bytes(hmac_key_template(which))
                         .bytes(hex("0000 00000000"))
                         .take();
  return tpm2_command_with_password(cc::create, u32_bytes(parent), parameters);
}

// With what Create returned: its private and its public part.
inline Bytes load_child(uint32_t parent, ByteView created) {
  BigEndianReader reader(created.subspan(kHeaderSize + sizeof(uint32_t)));
  Bytes private_part = sized(reader.bytes(reader.u16()));
  Bytes public_part = sized(reader.bytes(reader.u16()));
  return tpm2_command_with_password(
      cc::load, u32_bytes(parent), BigEndianWriter().bytes(private_part).bytes(public_part).take());
}

// TPM2_HMAC of the text with the key.
inline Bytes use_key(uint32_t key, std::string_view text = "text") {
  return tpm2_command_with_password(
      cc::hmac, u32_bytes(key), BigEndianWriter().bytes(sized(as_bytes(text))).u16(0x000B).take());
}

inline Bytes read_public(uint32_t object) {
  return tpm2_command(cc::read_public, u32_bytes(object));
}

inline Bytes start_sequence() {
  return tpm2_command(cc::hash_sequence_start, hex("0000 000b"));
}
inline Bytes update_sequence(uint32_t sequence, std::string_view text) {
  return tpm2_command_with_password(cc::sequence_update, u32_bytes(sequence),
                                    sized(as_bytes(text)));
}
inline Bytes complete_sequence(uint32_t sequence, std::string_view text = "") {
  return tpm2_command_with_password(
      cc::sequence_complete, u32_bytes(sequence),
      BigEndianWriter().bytes(sized(as_bytes(text))).u32(kNullHierarchy).take());
}

inline Bytes start_session(SessionKind kind = SessionKind::policy) {
  return tpm2_command(cc::start_auth_session, BigEndianWriter()
                                                  .u32(kNullHierarchy)  // no key, not bound
                                                  .u32(kNullHierarchy)
                                                  .bytes(sized(Bytes(16)))
                                                  .u16(0)
                                                  .u8(static_cast<uint8_t>(kind))
                                                  .u16(0x0010)
                                                  .u16(0x000B)
                                                  .take());
}
inline Bytes policy_command_code(uint32_t session, uint32_t code) {
  return tpm2_command(cc::policy_command_code, BigEndianWriter().u32(session).u32(code).take());
}
inline Bytes policy_get_digest(uint32_t session) {
  return tpm2_command(cc::policy_get_digest, u32_bytes(session));
}
inline Bytes policy_restart(uint32_t session) {
  return tpm2_command(cc::policy_restart, u32_bytes(session));
}

inline Bytes flush_context(uint32_t handle) {
  return tpm2_command(cc::flush_context, u32_bytes(handle));
}
inline Bytes context_save(uint32_t handle) {
  return tpm2_command(cc::context_save, u32_bytes(handle));
}
inline Bytes context_load(ByteView context) {
  return tpm2_command(cc::context_load, context);
}

inline Bytes clear_tpm() {
  return tpm2_command_with_password(cc::clear, u32_bytes(0x4000000C), {});
}

inline Bytes get_capability(uint32_t capability, uint32_t property, uint32_t count = 254) {
  return tpm2_command(cc::get_capability,
                      BigEndianWriter().u32(capability).u32(property).u32(count).take());
}
inline Bytes get_handles(uint32_t first, uint32_t count = 254) {
  return get_capability(capability::kHandles, first, count);
}

// -- Responses --

inline uint32_t returned_handle(ByteView response) {
  return BigEndianReader(response.subspan(std::min(response.size(), kHeaderSize))).u32();
}
inline Bytes parameters_of(ByteView response) {
  return to_bytes(response.subspan(std::min(response.size(), kHeaderSize)));
}
// Of TPM_CAP_HANDLES.
inline std::vector<uint32_t> listed_handles(ByteView response) {
  BigEndianReader reader(response.subspan(kHeaderSize + 5));
  std::vector<uint32_t> handles(std::min<size_t>(reader.u32(), 1000));
  for (uint32_t& one : handles) {
    one = reader.u32();
  }
  return handles;
}
inline bool has_more(ByteView response) {
  return BigEndianReader(response.subspan(kHeaderSize)).u8() != 0;
}
// Of TPM_CAP_TPM_PROPERTIES, its first one.
inline uint32_t property_value(ByteView response) {
  BigEndianReader reader(response.subspan(kHeaderSize + 9));
  reader.u32();
  return reader.u32();
}

}  // namespace vtpm
