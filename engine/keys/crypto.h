// The cryptography that blobs need, as plain functions over bytes. The only file that knows OpenSSL
// is crypto.cpp.
//
// Threads: any. Errors: the functions fail only when OpenSSL cannot provide an algorithm or runs
// out of memory; that is io, with OpenSSL's words.
#pragma once

#include <span>
#include <string>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/secret.h"

namespace vtpm {

inline constexpr size_t kAesBlock = 16;  // bytes
inline constexpr size_t kSha256Size = 32;
inline constexpr size_t kGcmIv = 12;
inline constexpr size_t kGcmTag = 16;

// From now on OpenSSL's configuration of the host (openssl.cnf, OPENSSL_CONF) does not count,
// whatever is called afterwards: it may name providers that use other devices
// (docs/decisions/0015). Before anything else that uses OpenSSL.
void ignore_host_configuration();

// Likewise, and loads what OpenSSL needs, for libtpms' use of it as well, in a process that can
// open none of that later. `configuration`: a file of that kind that does count; empty: none. Once.
// Errors: io, naming the file where it is the cause.
Result<void> load_crypto(const std::string& configuration = {});

Result<Bytes> random_bytes(size_t count);

// AES-CBC without padding: `text` is a multiple of 16 bytes. `key` has 16 or 32 bytes, `iv` 16.
Result<Bytes> aes_cbc_encrypt(ByteView key, ByteView iv, ByteView text);
Result<Bytes> aes_cbc_decrypt(ByteView key, ByteView iv, ByteView text);

// AES-256-GCM: `key` has 32 bytes, `iv` 12. The ciphertext is as long as the text; the tag covers
// it and `associated`.
struct Sealed {
  Bytes ciphertext;
  Bytes tag;  // 16 bytes
};
Result<Sealed> aes_gcm_seal(ByteView key, ByteView iv, ByteView associated, ByteView text);
// Errors: corrupt when the tag does not fit; nothing of the text is given then.
Result<Bytes> aes_gcm_open(ByteView key, ByteView iv, ByteView associated, ByteView ciphertext,
                           ByteView tag);

Result<Bytes> sha256(ByteView message);
Result<Bytes> hmac_sha256(ByteView key, ByteView message);
Result<Secret> sha512(ByteView message);
Result<Secret> pbkdf2_sha512(ByteView passphrase, ByteView salt, int iterations, size_t size);

// RFC 5869.
Result<Secret> hkdf_sha256(ByteView key, ByteView salt, std::string_view info, size_t size);
// RFC 7914. Needs 128 * 2^log2_n * r bytes of memory; the caller bounds the parameters.
struct ScryptCost {
  uint8_t log2_n;
  uint8_t r;
  uint16_t p;
  friend bool operator==(const ScryptCost&, const ScryptCost&) = default;
};
Result<Secret> scrypt(ByteView passphrase, ByteView salt, ScryptCost cost, size_t size);

// False also when the sizes differ.
bool equal_in_constant_time(ByteView a, ByteView b);

}  // namespace vtpm
