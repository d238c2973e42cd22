// An HMAC session as a client has it, for keys without authorisation value: neither salted nor
// bound, SHA-256, parameters encrypted by XOR where the attributes say so.
//
// Source: TPM 2.0 Library part 1 sections 16 (names, cpHash), 19.6 (HMAC), 21 (encryption).
#pragma once

#include "engine/keys/crypto.h"
#include "tests/support/must.h"
#include "tests/support/space_client.h"

namespace vtpm {

class HmacSession {
 public:
  static constexpr uint8_t kContinue = 0x01;
  static constexpr uint8_t kDecrypt = 0x20;  // the command's first parameter is encrypted
  static constexpr uint8_t kEncrypt = 0x40;  // the response's
  static constexpr uint8_t kAudit = 0x80;

  explicit HmacSession(SpaceClient& client) {
    Bytes response = client.must(
        tpm2_command(cc::start_auth_session, BigEndianWriter()
                                                 .u32(kNullHierarchy)
                                                 .u32(kNullHierarchy)
                                                 .bytes(sized(nonce_caller_))
                                                 .bytes(hex("0000 00 000a 000b 000b"))  // XOR
                                                 .take()));
    handle_ = returned_handle(response);
    BigEndianReader reader(ByteView(response).subspan(kHeaderSize + 4));
    nonce_tpm_ = to_bytes(reader.bytes(reader.u16()));
  }

  // TPM2_HMAC of the text with the key, authorised by this session; `name`: the key's.
  Bytes use_key(uint32_t key, ByteView name, std::string_view text, uint8_t attributes) {
    nonce_caller_.front() = static_cast<std::byte>(std::to_integer<int>(nonce_caller_.front()) + 1);
    Bytes buffer = to_bytes(text);
    if ((attributes & kDecrypt) != 0) {
      obfuscate(buffer, nonce_caller_, nonce_tpm_);
    }
    Bytes parameters = BigEndianWriter().bytes(sized(buffer)).u16(0x000B).take();
    Bytes cp_hash = must(sha256(BigEndianWriter()
                                    .u32(static_cast<uint32_t>(cc::hmac))
                                    .bytes(name)
                                    .bytes(parameters)
                                    .take()));
    Bytes area = BigEndianWriter()
                     .u32(handle_)
                     .bytes(sized(nonce_caller_))
                     .u8(attributes)
                     .bytes(sized(hmac(cp_hash, nonce_caller_, nonce_tpm_, attributes)))
                     .take();
    Bytes command = tpm2_command(cc::hmac, BigEndianWriter()
                                               .u32(key)
                                               .u32(static_cast<uint32_t>(area.size()))
                                               .bytes(area)
                                               .bytes(parameters)
                                               .take());
    command[1] = std::byte{0x02};  // with sessions
    return command;
  }

  // The result, decrypted; empty when the response's HMAC is not right.
  Bytes check(ByteView response, uint8_t attributes) {
    BigEndianReader reader(response.subspan(kHeaderSize));
    Bytes parameters = to_bytes(reader.bytes(reader.u32()));
    nonce_tpm_ = to_bytes(reader.bytes(reader.u16()));
    uint8_t answered = reader.u8();  // whether the audit was exclusive, too
    Bytes tpm_hmac = to_bytes(reader.bytes(reader.u16()));
    Bytes rp_hash = must(sha256(
        BigEndianWriter().u32(0).u32(static_cast<uint32_t>(cc::hmac)).bytes(parameters).take()));
    Bytes result(parameters.begin() + 2, parameters.end());
    if ((attributes & kEncrypt) != 0) {
      obfuscate(result, nonce_tpm_, nonce_caller_);
    }
    return tpm_hmac == hmac(rp_hash, nonce_tpm_, nonce_caller_, answered) ? result : Bytes();
  }

  [[nodiscard]] uint32_t handle() const { return handle_; }

 private:
  static Bytes hmac(ByteView hash, ByteView newer, ByteView older, uint8_t attributes) {
    return must(hmac_sha256(
        {}, BigEndianWriter().bytes(hash).bytes(newer).bytes(older).u8(attributes).take()));
  }
  // At most 32 bytes.
  static void obfuscate(Bytes& bytes, ByteView newer, ByteView older) {
    Bytes mask = must(hmac_sha256({}, BigEndianWriter()
                                          .u32(1)
                                          .bytes(hex("584f5200"))
                                          .bytes(newer)
                                          .bytes(older)
                                          .u32(static_cast<uint32_t>(bytes.size() * 8))
                                          .take()));
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] ^= mask.at(i);
    }
  }

  Bytes nonce_caller_ = Bytes(16);
  Bytes nonce_tpm_;
  uint32_t handle_ = 0;
};

// The name of an object, which stands for it in what a session signs.
inline Bytes name_of(SpaceClient& client, uint32_t object) {
  Bytes response = client.must(read_public(object));
  BigEndianReader reader(ByteView(response).subspan(kHeaderSize));
  reader.bytes(reader.u16());
  return to_bytes(reader.bytes(reader.u16()));
}

}  // namespace vtpm
