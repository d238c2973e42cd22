#include "engine/command/codec.h"

#include <array>

#include "engine/command/marshal.h"

namespace vtpm {
namespace {

// TPM 2.0 Library part 2: TPM_CAP, TPM_PT.
constexpr uint32_t kCapTpmProperties = 6;
constexpr uint32_t kPtMaxCommandSize = 0x11E;
constexpr uint32_t kPtLockoutCounter = 0x20E;  // then limit, interval, recovery
constexpr uint32_t kLockoutProperties = 4;
constexpr uint32_t kPtMaxResponseSize = 0x11F;

}  // namespace

std::optional<ResponseHeader> parse_response_header(ByteView response) {
  BigEndianReader reader(response);
  ResponseHeader header{reader.u16(), reader.u32(), ResponseCode{reader.u32()}};
  return reader.ok() ? std::optional(header) : std::nullopt;
}

ResponseCode response_code(ByteView response) {
  auto header = parse_response_header(response);
  return header ? header->code : rc::failure;
}

Bytes startup_command(TpmVersion version, StartupType type) {
  if (version == TpmVersion::tpm20) {
    Bytes parameters = BigEndianWriter().u16(static_cast<uint16_t>(type)).take();
    return tpm2_command(cc::startup, parameters);
  }
  // TPM 1.2 numbers them TPM_ST_CLEAR 1, TPM_ST_STATE 2.
  Bytes parameters = BigEndianWriter().u16(type == StartupType::clear ? 1 : 2).take();
  return tpm12_command(ordinal::startup, parameters);
}

Bytes shutdown_command(ShutdownType type) {
  Bytes parameters = BigEndianWriter().u16(static_cast<uint16_t>(type)).take();
  return tpm2_command(cc::shutdown, parameters);
}

Bytes probe_command(TpmVersion version) {
  if (version == TpmVersion::tpm20) {
    constexpr uint32_t kPtFamilyIndicator = 0x100;
    Bytes parameters =
        BigEndianWriter().u32(kCapTpmProperties).u32(kPtFamilyIndicator).u32(1).take();
    return tpm2_command(cc::get_capability, parameters);
  }
  // TPM_GetCapability, TPM_CAP_VERSION, no sub-capability.
  Bytes parameters = BigEndianWriter().u32(6).u32(0).take();
  return tpm12_command(ordinal::get_capability, parameters);
}

Bytes started_query(TpmVersion version) {
  if (version == TpmVersion::tpm20) {
    return tpm2_command(cc::read_clock);
  }
  return tpm12_command(ordinal::pcr_read, BigEndianWriter().u32(0).take());
}

ResponseCode not_started_code(TpmVersion version) {
  return version == TpmVersion::tpm20 ? rc::initialize : rc::tpm12_invalid_postinit;
}

Bytes buffer_size_query() {
  Bytes parameters = BigEndianWriter().u32(kCapTpmProperties).u32(kPtMaxCommandSize).u32(2).take();
  return tpm2_command(cc::get_capability, parameters);
}

Bytes lockout_query() {
  Bytes parameters = BigEndianWriter()
                         .u32(kCapTpmProperties)
                         .u32(kPtLockoutCounter)
                         .u32(kLockoutProperties)
                         .take();
  return tpm2_command(cc::get_capability, parameters);
}

std::optional<LockoutState> parse_lockout(ByteView response) {
  BigEndianReader reader(response);
  reader.bytes(kHeaderSize);
  reader.u8();  // whether there are more properties
  bool fits = reader.u32() == kCapTpmProperties && reader.u32() == kLockoutProperties;
  std::array<uint32_t, kLockoutProperties> values{};
  for (uint32_t i = 0; i < kLockoutProperties; ++i) {
    fits = reader.u32() == kPtLockoutCounter + i && fits;
    values[i] = reader.u32();
  }
  if (!fits || !reader.ok() || response_code(response) != rc::success) {
    return std::nullopt;
  }
  return LockoutState{values[0], values[1], values[2], values[3]};
}

Bytes buffer_size_response(uint32_t size) {
  Bytes parameters = BigEndianWriter()
                         .u8(1)  // there are more properties
                         .u32(kCapTpmProperties)
                         .u32(2)
                         .u32(kPtMaxCommandSize)
                         .u32(size)
                         .u32(kPtMaxResponseSize)
                         .u32(size)
                         .take();
  return tpm2_response(rc::success, parameters);
}

Bytes error_response(TpmVersion version, ResponseCode code) {
  return version == TpmVersion::tpm20 ? tpm2_response(code) : tpm12_response(code);
}

Bytes failure_response(TpmVersion version) {
  return error_response(version, version == TpmVersion::tpm20 ? rc::failure : rc::tpm12_fail);
}

}  // namespace vtpm
