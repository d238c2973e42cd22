#include "engine/swtpm_blob.h"

#include <string>

#include "engine/crypto.h"

namespace vtpm {
namespace {

constexpr uint8_t kVersion = 2;
constexpr uint8_t kMinVersion = 1;
constexpr uint16_t kHeaderLength = 10;

namespace flag {
constexpr uint16_t kFileKey = 0x01;
constexpr uint16_t kMigrationKey = 0x02;
constexpr uint16_t kMigrationData = 0x04;
constexpr uint16_t kMigrationKey256 = 0x10;
}  // namespace flag

namespace tag {
constexpr uint16_t kData = 1;
constexpr uint16_t kHmac = 3;
constexpr uint16_t kMigrationData = 4;
constexpr uint16_t kEncryptedMigrationData = 5;
constexpr uint16_t kMigrationIv = 7;
}  // namespace tag

// Result codes as swtpm gives them; <vtpm/ioctl.h> has them as VTPM_RESULT_*.
namespace result {
constexpr uint32_t kBadParameter = 0x03;
constexpr uint32_t kKeyNotFound = 0x0d;
constexpr uint32_t kDecryptError = 0x21;
constexpr uint32_t kBadKeyProperty = 0x28;
constexpr uint32_t kBadDataSize = 0x2b;
constexpr uint32_t kBadVersion = 0x2e;
}  // namespace result

constexpr size_t kKey256 = 32;

tl::unexpected<Error> damaged(const std::string& what,
                              uint32_t tpm_result = result::kBadParameter) {
  return failure(Errc::corrupt, "damaged state: " + what, tpm_result);
}

Bytes with_header(uint16_t flags, ByteView elements) {
  return BigEndianWriter()
      .u8(kVersion)
      .u8(kMinVersion)
      .u16(kHeaderLength)
      .u16(flags)
      .u32(static_cast<uint32_t>(kHeaderLength + elements.size()))
      .bytes(elements)
      .take();
}

Bytes element(uint16_t name, ByteView data) {
  return BigEndianWriter().u16(name).u32(static_cast<uint32_t>(data.size())).bytes(data).take();
}

// The data of the first element with that tag; unknown tags are skipped, as swtpm does.
Result<ByteView> find_element(ByteView list, uint16_t wanted) {
  BigEndianReader reader(list);
  while (reader.remaining() > 0) {
    uint16_t name = reader.u16();
    uint32_t length = reader.u32();
    ByteView data = reader.bytes(length);
    if (!reader.ok()) {
      return damaged("an element reaches past the end");
    }
    if (name == wanted) {
      return data;
    }
  }
  return damaged("there is no element " + std::to_string(wanted));
}

struct Envelope {
  uint8_t version;
  uint16_t flags;
  ByteView content;  // behind the header
};

Result<Envelope> open_envelope(ByteView blob) {
  BigEndianReader reader(blob);
  uint8_t version = reader.u8();
  uint8_t min_version = reader.u8();
  uint16_t header_length = reader.u16();
  uint16_t flags = reader.u16();
  uint32_t total = reader.u32();
  if (!reader.ok()) {
    return damaged("only " + std::to_string(blob.size()) + " bytes");
  }
  if (version == 0 || min_version > kVersion) {
    return failure(Errc::unsupported,
                   "state in format version " + std::to_string(min_version) +
                       "; this build reads versions 1 and 2",
                   result::kBadVersion);
  }
  if (header_length != kHeaderLength) {
    return damaged("a header of " + std::to_string(header_length) + " bytes", result::kBadDataSize);
  }
  if (total != blob.size()) {
    return damaged("the header speaks of " + std::to_string(total) + " bytes, there are " +
                   std::to_string(blob.size()));
  }
  return Envelope{version, flags, blob.subspan(kHeaderLength)};
}

tl::unexpected<Error> no_key(const std::string& what) {
  return failure(Errc::unsupported, what + ", and no key was given", result::kKeyNotFound);
}

// swtpm pads to a multiple of the key's length, not of the cipher's block.
Bytes padded(ByteView data, size_t multiple) {
  size_t count = multiple - data.size() % multiple;
  Bytes bytes(data.begin(), data.end());
  bytes.insert(bytes.end(), count, static_cast<std::byte>(count));
  return bytes;
}

Result<Bytes> unpadded(Bytes text, size_t multiple) {
  size_t count = text.empty() ? 0 : std::to_integer<size_t>(text.back());
  if (count == 0 || count > multiple || count > text.size()) {
    return damaged("the padding is wrong", result::kDecryptError);
  }
  text.resize(text.size() - count);
  return text;
}

Bytes joined(ByteView a, ByteView b) {
  return BigEndianWriter().bytes(a).bytes(b).take();
}

// Encrypt, then authenticate ciphertext and initialisation vector. The vector has the key's length;
// the cipher uses its first 16 bytes.
Result<Bytes> encrypted_elements(ByteView data, const SwtpmKey& key) {
  auto iv = random_bytes(key.size());
  if (!iv) {
    return iv;
  }
  auto text = aes_cbc_encrypt(key.view(), ByteView(*iv).first(kAesBlock), padded(data, key.size()));
  if (!text) {
    return text;
  }
  auto mac = hmac_sha256(key.view(), joined(*text, *iv));
  if (!mac) {
    return mac;
  }
  return BigEndianWriter()
      .bytes(element(tag::kEncryptedMigrationData, *text))
      .bytes(element(tag::kHmac, *mac))
      .bytes(element(tag::kMigrationIv, *iv))
      .take();
}

Result<Bytes> decrypted_elements(ByteView elements, const SwtpmKey& key) {
  auto text = find_element(elements, tag::kEncryptedMigrationData);
  auto mac = find_element(elements, tag::kHmac);
  auto iv = find_element(elements, tag::kMigrationIv);
  if (!text || !mac || !iv || iv->size() < kAesBlock || text->size() % kAesBlock != 0) {
    return damaged("parts of the encryption are missing");
  }
  auto expected = hmac_sha256(key.view(), joined(*text, *iv));
  if (!expected) {
    return expected;
  }
  if (!equal_in_constant_time(*expected, *mac)) {
    return failure(Errc::corrupt, "the migration key is wrong, or the state was altered",
                   result::kDecryptError);
  }
  auto plain = aes_cbc_decrypt(key.view(), iv->first(kAesBlock), *text);
  return plain ? unpadded(std::move(*plain), key.size()) : plain;
}

// The element list within a control surface's blob, whichever way it is wrapped.
Result<Bytes> migration_elements(const Envelope& envelope, const SwtpmKey* key) {
  if ((envelope.flags & flag::kMigrationKey) == 0) {
    auto plain = find_element(envelope.content, tag::kMigrationData);
    if (!plain) {
      return tl::unexpected(plain.error());
    }
    return Bytes(plain->begin(), plain->end());
  }
  if (key == nullptr) {
    return no_key("the state is encrypted with a migration key");
  }
  bool wants_256 = (envelope.flags & flag::kMigrationKey256) != 0;
  if (wants_256 != (key->size() == kKey256)) {
    return failure(Errc::unsupported,
                   std::string("the state is encrypted with a migration key of ") +
                       (wants_256 ? "256" : "128") + " bits, the one given has another length",
                   result::kBadKeyProperty);
  }
  return decrypted_elements(envelope.content, *key);
}

}  // namespace

Bytes wrap_swtpm_blob(ByteView data) {
  return with_header(0, element(tag::kData, data));
}

Result<ByteView> unwrap_swtpm_blob(ByteView blob) {
  auto envelope = open_envelope(blob);
  if (!envelope) {
    return tl::unexpected(envelope.error());
  }
  if ((envelope->flags & (flag::kFileKey | flag::kMigrationKey)) != 0) {
    return no_key("the state is encrypted");
  }
  return envelope->version == 1 ? envelope->content : find_element(envelope->content, tag::kData);
}

Result<Bytes> wrap_migration_blob(ByteView data, const SwtpmKey* key) {
  Bytes inner = element(tag::kData, data);
  if (key == nullptr) {
    return with_header(flag::kMigrationData, element(tag::kMigrationData, inner));
  }
  auto elements = encrypted_elements(inner, *key);
  if (!elements) {
    return elements;
  }
  uint16_t length_flag = key->size() == kKey256 ? flag::kMigrationKey256 : 0;
  return with_header(
      static_cast<uint16_t>(flag::kMigrationData | flag::kMigrationKey | length_flag), *elements);
}

Result<Bytes> unwrap_migration_blob(ByteView blob, const SwtpmKey* key) {
  auto envelope = open_envelope(blob);
  if (!envelope) {
    return tl::unexpected(envelope.error());
  }
  auto elements = migration_elements(*envelope, key);
  if (!elements) {
    return elements;
  }
  if ((envelope->flags & flag::kFileKey) != 0) {
    return no_key("the state is encrypted with the key of the file it came from");
  }
  auto data = find_element(*elements, tag::kData);
  if (!data) {
    return tl::unexpected(data.error());
  }
  return Bytes(data->begin(), data->end());
}

}  // namespace vtpm
