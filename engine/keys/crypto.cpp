#include "engine/keys/crypto.h"

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include <array>
#include <memory>

namespace vtpm {
namespace {

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* in(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());  // NOLINT: OpenSSL's bytes
}

unsigned char* out(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());  // NOLINT: OpenSSL's bytes
}

tl::unexpected<Error> openssl_failure(const char* what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return failure(Errc::io, std::string(what) + ": " + text.data());
}

constexpr size_t kAes256Key = 32;

int size_of(ByteView bytes) {
  return static_cast<int>(bytes.size());
}

enum class Direction { decrypt = 0, encrypt = 1 };

Result<Bytes> aes_cbc(ByteView key, ByteView iv, ByteView text, Direction direction) {
  const EVP_CIPHER* cipher = key.size() == kAes256Key ? EVP_aes_256_cbc() : EVP_aes_128_cbc();
  CipherContext context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Bytes result(text.size());
  int done = 0;
  if (!context || iv.size() != kAesBlock || text.size() % kAesBlock != 0 ||
      EVP_CipherInit_ex(context.get(), cipher, nullptr, in(key), in(iv),
                        static_cast<int>(direction)) != 1 ||
      EVP_CIPHER_CTX_set_padding(context.get(), 0) != 1 ||
      EVP_CipherUpdate(context.get(), out(result), &done, in(text),
                       static_cast<int>(text.size())) != 1) {
    return openssl_failure("AES");
  }
  return result;
}

}  // namespace

void ignore_host_configuration() {
  // The first call decides: later ones, libraries' included, load none either.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
}

Result<void> load_crypto(const std::string& configuration) {
  ignore_host_configuration();
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
  const std::string because = "OpenSSL with the configuration " + configuration;
  if (!configuration.empty() &&
      CONF_modules_load_file(configuration.c_str(), nullptr, CONF_MFLAGS_NO_DSO) != 1) {
    return openssl_failure(because.c_str());
  }
  // Providers are loaded by the first use.
  auto digest = sha512({});
  auto random = digest ? random_bytes(1) : tl::unexpected(digest.error());
  if (!random) {
    return configuration.empty() ? tl::unexpected(random.error())
                                 : failure(Errc::io, because + ": " + random.error().message);
  }
  return {};
}

Result<Bytes> random_bytes(size_t count) {
  Bytes bytes(count);
  if (RAND_bytes(out(bytes), static_cast<int>(count)) != 1) {
    return openssl_failure("random numbers");
  }
  return bytes;
}

Result<Bytes> aes_cbc_encrypt(ByteView key, ByteView iv, ByteView text) {
  return aes_cbc(key, iv, text, Direction::encrypt);
}

Result<Bytes> aes_cbc_decrypt(ByteView key, ByteView iv, ByteView text) {
  return aes_cbc(key, iv, text, Direction::decrypt);
}

Result<Sealed> aes_gcm_seal(ByteView key, ByteView iv, ByteView associated, ByteView text) {
  CipherContext context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Sealed sealed{Bytes(text.size()), Bytes(kGcmTag)};
  int done = 0;
  if (!context || key.size() != kAes256Key || iv.size() != kGcmIv ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, in(key), in(iv)) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &done, in(associated), size_of(associated)) != 1 ||
      EVP_EncryptUpdate(context.get(), out(sealed.ciphertext), &done, in(text), size_of(text)) !=
          1 ||
      EVP_EncryptFinal_ex(context.get(), nullptr, &done) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kGcmTag, sealed.tag.data()) != 1) {
    return openssl_failure("AES-GCM");
  }
  return sealed;
}

Result<Bytes> aes_gcm_open(ByteView key, ByteView iv, ByteView associated, ByteView ciphertext,
                           ByteView tag) {
  CipherContext context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Bytes text(ciphertext.size());
  Bytes expected(tag.begin(), tag.end());  // OpenSSL takes it by a pointer to non-const
  int done = 0;
  if (!context || key.size() != kAes256Key || iv.size() != kGcmIv || tag.size() != kGcmTag ||
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, in(key), in(iv)) != 1 ||
      EVP_DecryptUpdate(context.get(), nullptr, &done, in(associated), size_of(associated)) != 1 ||
      EVP_DecryptUpdate(context.get(), out(text), &done, in(ciphertext), size_of(ciphertext)) !=
          1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kGcmTag, expected.data()) != 1) {
    return openssl_failure("AES-GCM");
  }
  if (EVP_DecryptFinal_ex(context.get(), nullptr, &done) != 1) {
    return failure(Errc::corrupt, "the authentication tag does not fit");
  }
  return text;
}

Result<Bytes> sha256(ByteView message) {
  Bytes digest(kSha256Size);
  if (EVP_Digest(message.data(), message.size(), out(digest), nullptr, EVP_sha256(), nullptr) !=
      1) {
    return openssl_failure("SHA-256");
  }
  return digest;
}

Result<Bytes> hmac_sha256(ByteView key, ByteView message) {
  Bytes mac(kSha256Size);
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), in(message), message.size(),
           out(mac), nullptr) == nullptr) {
    return openssl_failure("HMAC");
  }
  return mac;
}

Result<Secret> sha512(ByteView message) {
  constexpr size_t kSize = 64;
  Secret digest(kSize);
  if (EVP_Digest(message.data(), message.size(), out(digest.writable()), nullptr, EVP_sha512(),
                 nullptr) != 1) {
    return openssl_failure("SHA-512");
  }
  return digest;
}

Result<Secret> pbkdf2_sha512(ByteView passphrase, ByteView salt, int iterations, size_t size) {
  Secret key(size);
  if (PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(passphrase.data()),  // NOLINT
                        static_cast<int>(passphrase.size()), in(salt),
                        static_cast<int>(salt.size()), iterations, EVP_sha512(),
                        static_cast<int>(size), out(key.writable())) != 1) {
    return openssl_failure("PBKDF2");
  }
  return key;
}

Result<Secret> hkdf_sha256(ByteView key, ByteView salt, std::string_view info, size_t size) {
  std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr), EVP_PKEY_CTX_free);
  const Bytes no_salt(kSha256Size);  // what the RFC puts in its place, and OpenSSL does not
  salt = salt.empty() ? ByteView(no_salt) : salt;
  Secret derived(size);
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_CTX_set1_hkdf_salt(context.get(), in(salt), size_of(salt)) != 1 ||
      EVP_PKEY_CTX_set1_hkdf_key(context.get(), in(key), size_of(key)) != 1 ||
      EVP_PKEY_CTX_add1_hkdf_info(context.get(), in(as_bytes(info)), size_of(as_bytes(info))) !=
          1 ||
      EVP_PKEY_derive(context.get(), out(derived.writable()), &size) != 1) {
    return openssl_failure("HKDF");
  }
  return derived;
}

Result<Secret> scrypt(ByteView passphrase, ByteView salt, ScryptCost cost, size_t size) {
  // OpenSSL refuses more than it is allowed; twice the need is enough for what it adds.
  uint64_t memory = (uint64_t{256} << cost.log2_n) * cost.r;
  Secret key(size);
  if (EVP_PBE_scrypt(reinterpret_cast<const char*>(passphrase.data()), passphrase.size(),  // NOLINT
                     in(salt), salt.size(), uint64_t{1} << cost.log2_n, cost.r, cost.p, memory,
                     out(key.writable()), size) != 1) {
    return openssl_failure("scrypt");
  }
  return key;
}

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace vtpm
