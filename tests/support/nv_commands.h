// Commands that make and find NV indices: the simplest state that a TPM keeps.
//
// An index is named by a small number `which`; it holds 4 bytes, is owner-defined and has an empty
// authorisation value. TPM 2.0 Library part 3 section 31; TPM 1.2 Main part 3 section 20.
#pragma once

#include "engine/base/bytes.h"
#include "engine/command/codec.h"
#include "tests/support/commands.h"
#include "tests/support/hex.h"

namespace vtpm {

// TPMA_NV: written and read with the index's own authorisation, without or with dictionary-attack
// protection.
inline constexpr uint32_t kNvNoDa = 0x02040004;
inline constexpr uint32_t kNvWithDa = 0x00040004;

inline uint32_t nv_index(uint8_t which) {
  return 0x01500000u + which;
}

inline Bytes nv_define(uint8_t which, uint32_t attributes, ByteView password = {},
                       uint16_t size = 4) {
  Bytes owner = hex("40000001");
  Bytes parameters = BigEndianWriter()
                         .u16(static_cast<uint16_t>(password.size()))
                         .bytes(password)
                         .u16(14)               // TPM2B_NV_PUBLIC
                         .u32(nv_index(which))  //
                         .u16(0x000B)           // SHA-256
                         .u32(attributes)
                         .u16(0)  // no policy
                         .u16(size)
                         .take();
  return tpm2_command_with_password(CommandCode{0x12A}, owner, parameters);
}

inline Bytes nv_write(uint8_t which, ByteView bytes, ByteView password = {}) {
  Bytes handles = BigEndianWriter().u32(nv_index(which)).u32(nv_index(which)).take();
  Bytes parameters =
      BigEndianWriter().u16(static_cast<uint16_t>(bytes.size())).bytes(bytes).u16(0).take();
  return tpm2_command_with_password(CommandCode{0x137}, handles, parameters, password);
}

inline Bytes nv_read(uint8_t which, ByteView password, uint16_t size = 4) {
  Bytes handles = BigEndianWriter().u32(nv_index(which)).u32(nv_index(which)).take();
  return tpm2_command_with_password(CommandCode{0x14E}, handles,
                                    BigEndianWriter().u16(size).u16(0).take(), password);
}

inline Bytes nv_read_public(uint8_t which) {
  return tpm2_command(CommandCode{0x169}, BigEndianWriter().u32(nv_index(which)).take());
}

// TPM_NV_DefineSpace without authorisation: possible as long as the TPM is not NV-locked.
inline Bytes tpm12_nv_define(uint8_t which) {
  Bytes no_pcrs = hex("0003 000000 1f 0000000000000000000000000000000000000000");
  Bytes parameters = BigEndianWriter()
                         .u16(0x0018)  // TPM_TAG_NV_DATA_PUBLIC
                         .u32(0x00011100u + which)
                         .bytes(no_pcrs)
                         .bytes(no_pcrs)
                         .u16(0x0017)      // TPM_TAG_NV_ATTRIBUTES
                         .u32(0x00000001)  // TPM_NV_PER_PPWRITE
                         .u8(0)
                         .u8(0)
                         .u8(0)
                         .u32(4)  // bytes
                         .bytes(Bytes(20))
                         .take();
  return tpm12_command(CommandCode{0xCC}, parameters);
}

// TPM_GetCapability of one NV index: an error when it is not defined.
inline Bytes tpm12_nv_info(uint8_t which) {
  return tpm12_command(ordinal::get_capability, BigEndianWriter()
                                                    .u32(0x11)  // TPM_CAP_NV_INDEX
                                                    .u32(4)
                                                    .u32(0x00011100u + which)
                                                    .take());
}

}  // namespace vtpm
