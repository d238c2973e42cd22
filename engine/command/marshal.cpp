#include "engine/command/marshal.h"

#include "engine/command/command.h"

namespace vtpm {
namespace {

// TPM 2.0 Library part 2, TPM_ST; TPM 1.2 Main part 2, TPM_TAG.
constexpr uint16_t kTpm2NoSessions = 0x8001;
constexpr uint16_t kTpm2Sessions = 0x8002;
constexpr uint16_t kTpm12Request = 0x00C1;
constexpr uint16_t kTpm12Response = 0x00C4;

Bytes message(uint16_t tag, uint32_t code, ByteView body) {
  return BigEndianWriter()
      .u16(tag)
      .u32(static_cast<uint32_t>(kHeaderSize + body.size()))
      .u32(code)
      .bytes(body)
      .take();
}

}  // namespace

Bytes tpm2_command(CommandCode code, ByteView body) {
  return message(kTpm2NoSessions, static_cast<uint32_t>(code), body);
}

Bytes tpm2_command_with_password(CommandCode code, ByteView handles, ByteView parameters,
                                 ByteView password) {
  constexpr uint32_t kPasswordSession = 0x40000009;  // TPM_RS_PW
  Bytes session = BigEndianWriter()
                      .u32(kPasswordSession)
                      .u16(0)  // no nonce
                      .u8(0)   // no attributes
                      .u16(static_cast<uint16_t>(password.size()))
                      .bytes(password)
                      .take();
  return message(kTpm2Sessions, static_cast<uint32_t>(code),
                 BigEndianWriter()
                     .bytes(handles)
                     .u32(static_cast<uint32_t>(session.size()))
                     .bytes(session)
                     .bytes(parameters)
                     .take());
}

Bytes tpm12_command(CommandCode ordinal, ByteView parameters) {
  return message(kTpm12Request, static_cast<uint32_t>(ordinal), parameters);
}

Bytes tpm2_response(ResponseCode code, ByteView parameters) {
  return message(kTpm2NoSessions, static_cast<uint32_t>(code), parameters);
}

Bytes tpm12_response(ResponseCode code, ByteView parameters) {
  return message(kTpm12Response, static_cast<uint32_t>(code), parameters);
}

}  // namespace vtpm
