#include "engine/command/codec.h"

#include <algorithm>
#include <array>

namespace vtpm {
namespace {

constexpr uint16_t kTpm2NoSessions = 0x8001;
constexpr uint16_t kTpm12RequestTag = 0x00C1;
constexpr uint16_t kTpm12ResponseTag = 0x00C4;

// TPM 2.0 Library part 2: TPM_CAP, TPM_PT.
constexpr uint32_t kCapTpmProperties = 6;
constexpr uint32_t kPtMaxCommandSize = 0x11E;
constexpr uint32_t kPtLockoutCounter = 0x20E;  // then limit, interval, recovery
constexpr uint32_t kLockoutProperties = 4;
constexpr uint32_t kPtMaxResponseSize = 0x11F;

constexpr std::array kLongTpm20 = {
    cc::change_eps,
    cc::change_pps,
    cc::clear,
    cc::create_primary,
    cc::incremental_self_test,
    cc::self_test,
    cc::create,
    cc::create_loaded,
};

constexpr std::array kLongTpm12 = {
    ordinal::take_ownership,      ordinal::cmk_create_key,     ordinal::create_wrap_key,
    ordinal::self_test_full,      ordinal::continue_self_test, ordinal::create_endorsement_key_pair,
    ordinal::create_revocable_ek, ordinal::make_identity,
};

Bytes message(uint16_t tag, uint32_t code, ByteView parameters = {}) {
  return BigEndianWriter()
      .u16(tag)
      .u32(static_cast<uint32_t>(kHeaderSize + parameters.size()))
      .u32(code)
      .bytes(parameters)
      .take();
}

}  // namespace

std::optional<CommandHeader> parse_command_header(ByteView command) {
  BigEndianReader reader(command);
  CommandHeader header{reader.u16(), reader.u32(), CommandCode{reader.u32()}};
  return reader.ok() ? std::optional(header) : std::nullopt;
}

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
    return message(kTpm2NoSessions, static_cast<uint32_t>(cc::startup), parameters);
  }
  // TPM 1.2 numbers them TPM_ST_CLEAR 1, TPM_ST_STATE 2.
  Bytes parameters = BigEndianWriter().u16(type == StartupType::clear ? 1 : 2).take();
  return message(kTpm12RequestTag, static_cast<uint32_t>(ordinal::startup), parameters);
}

Bytes shutdown_command(ShutdownType type) {
  Bytes parameters = BigEndianWriter().u16(static_cast<uint16_t>(type)).take();
  return message(kTpm2NoSessions, static_cast<uint32_t>(cc::shutdown), parameters);
}

Bytes probe_command(TpmVersion version) {
  if (version == TpmVersion::tpm20) {
    constexpr uint32_t kPtFamilyIndicator = 0x100;
    Bytes parameters =
        BigEndianWriter().u32(kCapTpmProperties).u32(kPtFamilyIndicator).u32(1).take();
    return message(kTpm2NoSessions, static_cast<uint32_t>(cc::get_capability), parameters);
  }
  // TPM_GetCapability, TPM_CAP_VERSION, no sub-capability.
  Bytes parameters = BigEndianWriter().u32(6).u32(0).take();
  return message(kTpm12RequestTag, 0x65, parameters);
}

Bytes started_query(TpmVersion version) {
  if (version == TpmVersion::tpm20) {
    return message(kTpm2NoSessions, static_cast<uint32_t>(cc::read_clock));
  }
  return message(kTpm12RequestTag, static_cast<uint32_t>(ordinal::pcr_read),
                 BigEndianWriter().u32(0).take());
}

ResponseCode not_started_code(TpmVersion version) {
  return version == TpmVersion::tpm20 ? rc::initialize : rc::tpm12_invalid_postinit;
}

Bytes buffer_size_query() {
  Bytes parameters = BigEndianWriter().u32(kCapTpmProperties).u32(kPtMaxCommandSize).u32(2).take();
  return message(kTpm2NoSessions, static_cast<uint32_t>(cc::get_capability), parameters);
}

Bytes lockout_query() {
  Bytes parameters = BigEndianWriter()
                         .u32(kCapTpmProperties)
                         .u32(kPtLockoutCounter)
                         .u32(kLockoutProperties)
                         .take();
  return message(kTpm2NoSessions, static_cast<uint32_t>(cc::get_capability), parameters);
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
  return message(kTpm2NoSessions, static_cast<uint32_t>(rc::success), parameters);
}

Bytes error_response(TpmVersion version, ResponseCode code) {
  uint16_t tag = version == TpmVersion::tpm20 ? kTpm2NoSessions : kTpm12ResponseTag;
  return message(tag, static_cast<uint32_t>(code));
}

Bytes failure_response(TpmVersion version) {
  return error_response(version, version == TpmVersion::tpm20 ? rc::failure : rc::tpm12_fail);
}

bool is_long_running(TpmVersion version, CommandCode code) {
  if (version == TpmVersion::tpm20) {
    return std::ranges::find(kLongTpm20, code) != kLongTpm20.end();
  }
  return std::ranges::find(kLongTpm12, code) != kLongTpm12.end();
}

}  // namespace vtpm
