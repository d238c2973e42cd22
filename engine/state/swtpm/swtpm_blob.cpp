#include "engine/state/swtpm/swtpm_blob.h"

#include <array>
#include <string>

#include "engine/keys/crypto.h"

namespace vtpm {
namespace {

constexpr uint8_t kVersion = 2;
constexpr uint8_t kMinVersion = 1;
constexpr uint16_t kHeaderLength = 10;

namespace flag {
constexpr uint16_t kFileKey = 0x01;
constexpr uint16_t kMigrationKey = 0x02;
constexpr uint16_t kMigrationData = 0x04;
constexpr uint16_t kFileKey256 = 0x08;
constexpr uint16_t kMigrationKey256 = 0x10;
}  // namespace flag

namespace tag {
constexpr uint16_t kData = 1;
constexpr uint16_t kEncryptedData = 2;
constexpr uint16_t kHmac = 3;
constexpr uint16_t kMigrationData = 4;
constexpr uint16_t kEncryptedMigrationData = 5;
constexpr uint16_t kIv = 6;
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

// One of the two encryptions, which have flags and tags of their own and the rest in common.
struct Layer {
  const char* key_name;
  uint16_t key_flag;
  uint16_t key_256_flag;
  uint16_t text_tag;
  uint16_t iv_tag;
};
constexpr Layer kFileLayer = {"file key", flag::kFileKey, flag::kFileKey256, tag::kEncryptedData,
                              tag::kIv};
constexpr Layer kMigrationLayer = {"migration key", flag::kMigrationKey, flag::kMigrationKey256,
                                   tag::kEncryptedMigrationData, tag::kMigrationIv};

tl::unexpected<Error> damaged(const std::string& what,
                              uint32_t tpm_result = result::kBadParameter) {
  return failure(Errc::corrupt, "damaged state: " + what, tpm_result);
}

// What is on its way between two layers is the TPM's state in the clear.
WipedBytes wiped(Bytes bytes) {
  return WipedBytes(std::move(bytes));
}

// The elements are copied once, into memory of the right size.
Bytes with_header(unsigned flags, ByteView elements) {
  return BigEndianWriter()
      .u8(kVersion)
      .u8(kMinVersion)
      .u16(kHeaderLength)
      .u16(static_cast<uint16_t>(flags))
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

// The flags of a blob that is encrypted with that key.
unsigned flags_for(const Layer& layer, const SwtpmKey& key) {
  return layer.key_flag | (key.size() == kKey256 ? layer.key_256_flag : 0U);
}

// Whether `key` is one that can undo a layer that the flags speak of.
Result<void> check_key(const Layer& layer, uint16_t flags, const SwtpmKey* key) {
  std::string encrypted = std::string("the state is encrypted with a ") + layer.key_name;
  if (key == nullptr) {
    return failure(Errc::unsupported, encrypted + ", and no key was given; give that key",
                   result::kKeyNotFound);
  }
  bool wants_256 = (flags & layer.key_256_flag) != 0;
  if (wants_256 != (key->size() == kKey256)) {
    return failure(Errc::unsupported,
                   encrypted + " of " + (wants_256 ? "256" : "128") +
                       " bits, the one given has another length; give it with mode=" +
                       (wants_256 ? "aes-256-cbc" : "aes-128-cbc"),
                   result::kBadKeyProperty);
  }
  return {};
}

tl::unexpected<Error> wrong_key(const Layer& layer) {
  return failure(Errc::corrupt,
                 std::string("the ") + layer.key_name +
                     " is wrong, or the state was altered; give the key it was written with",
                 result::kDecryptError);
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
Result<Bytes> encrypted_elements(const Layer& layer, ByteView data, const SwtpmKey& key) {
  auto iv = random_bytes(key.size());
  if (!iv) {
    return iv;
  }
  auto text = aes_cbc_encrypt(key.view(), ByteView(*iv).first(kAesBlock),
                              wiped(padded(data, key.size())).get());
  if (!text) {
    return text;
  }
  auto mac = hmac_sha256(key.view(), joined(*text, *iv));
  if (!mac) {
    return mac;
  }
  return BigEndianWriter()
      .bytes(element(layer.text_tag, *text))
      .bytes(element(tag::kHmac, *mac))
      .bytes(element(layer.iv_tag, *iv))
      .take();
}

// The vector may have 32 bytes with a key of 16 too: swtpm's buffer for it only ever grows.
Result<Bytes> decrypted_elements(const Layer& layer, ByteView elements, const SwtpmKey& key) {
  auto text = find_element(elements, layer.text_tag);
  auto mac = find_element(elements, tag::kHmac);
  auto iv = find_element(elements, layer.iv_tag);
  if (!text || !mac || !iv || iv->size() < kAesBlock || text->size() % kAesBlock != 0) {
    return damaged("parts of the encryption are missing");
  }
  auto expected = hmac_sha256(key.view(), joined(*text, *iv));
  if (!expected) {
    return expected;
  }
  if (!equal_in_constant_time(*expected, *mac)) {
    return wrong_key(layer);
  }
  auto plain = aes_cbc_decrypt(key.view(), iv->first(kAesBlock), *text);
  return plain ? unpadded(std::move(*plain), key.size()) : plain;
}

// Version 1: the ciphertext of a digest and the data, and nothing else. What does not decrypt to a
// fitting digest is one error, wherever it first shows.
Result<Bytes> decrypted_version1(const Layer& layer, ByteView text, const SwtpmKey& key) {
  constexpr std::array<std::byte, kAesBlock> kZeroIv{};
  if (text.empty() || text.size() % kAesBlock != 0) {
    return damaged(std::to_string(text.size()) + " encrypted bytes");
  }
  auto decrypted = aes_cbc_decrypt(key.view(), kZeroIv, text);
  if (!decrypted) {
    return decrypted;
  }
  auto plain = unpadded(std::move(*decrypted), key.size()).map(wiped);
  if (!plain || plain->get().size() < kSha256Size) {
    return wrong_key(layer);
  }
  ByteView data = ByteView(plain->get()).subspan(kSha256Size);
  auto digest = sha256(data);
  if (!digest) {
    return digest;
  }
  if (!equal_in_constant_time(*digest, ByteView(plain->get()).first(kSha256Size))) {
    return wrong_key(layer);
  }
  return Bytes(data.begin(), data.end());
}

Result<Bytes> copied(const Result<ByteView>& view) {
  return view.map([](ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); });
}

// What lies within one layer: `content` is what the layer around it had in it.
Result<Bytes> decrypted(const Layer& layer, const Envelope& envelope, ByteView content,
                        const SwtpmKey* key) {
  auto usable = check_key(layer, envelope.flags, key);
  if (!usable) {
    return tl::unexpected(usable.error());
  }
  return envelope.version == 1 ? decrypted_version1(layer, content, *key)
                               : decrypted_elements(layer, content, *key);
}

// Version 1 has no elements: what is not encrypted stands there as it is.
Result<Bytes> plain(const Envelope& envelope, ByteView content, uint16_t wanted) {
  return copied(envelope.version == 1 ? content : find_element(content, wanted));
}

// What a control surface's blob has in it, whichever way it is wrapped.
Result<Bytes> migration_content(const Envelope& envelope, const SwtpmKey* key) {
  return (envelope.flags & flag::kMigrationKey) == 0
             ? plain(envelope, envelope.content, tag::kMigrationData)
             : decrypted(kMigrationLayer, envelope, envelope.content, key);
}

}  // namespace

Result<Bytes> wrap_swtpm_blob(ByteView data, const SwtpmKey* key) {
  if (key == nullptr) {
    return with_header(0, wiped(element(tag::kData, data)).get());
  }
  auto elements = encrypted_elements(kFileLayer, data, *key);
  return elements ? with_header(flags_for(kFileLayer, *key), *elements) : elements;
}

Result<Bytes> unwrap_swtpm_blob(ByteView blob, const SwtpmKey* key) {
  auto envelope = open_envelope(blob);
  if (!envelope) {
    return tl::unexpected(envelope.error());
  }
  if ((envelope->flags & (flag::kMigrationKey | flag::kMigrationData)) != 0) {
    return failure(Errc::invalid,
                   "this is a state blob of a control surface, not a state file; load it with "
                   "vtpmctl state load",
                   result::kBadParameter);
  }
  if ((envelope->flags & flag::kFileKey) == 0 && key != nullptr) {
    return failure(Errc::invalid,
                   "a key was given, and the state is not encrypted: it may have been put in the "
                   "place of the one that is; use it without a key if it is the right one",
                   result::kBadKeyProperty);
  }
  if ((envelope->flags & flag::kFileKey) == 0) {
    return plain(*envelope, envelope->content, tag::kData);
  }
  return decrypted(kFileLayer, *envelope, envelope->content, key);
}

Result<Bytes> wrap_migration_blob(ByteView data, const SwtpmKey* migration_key,
                                  const SwtpmKey* file_key) {
  auto inner = (file_key == nullptr ? Result<Bytes>(element(tag::kData, data))
                                    : encrypted_elements(kFileLayer, data, *file_key))
                   .map(wiped);
  if (!inner) {
    return tl::unexpected(inner.error());
  }
  unsigned flags = flag::kMigrationData | (file_key ? flags_for(kFileLayer, *file_key) : 0U);
  if (migration_key == nullptr) {
    return with_header(flags, wiped(element(tag::kMigrationData, inner->get())).get());
  }
  auto elements = encrypted_elements(kMigrationLayer, inner->get(), *migration_key);
  return elements ? with_header(flags | flags_for(kMigrationLayer, *migration_key), *elements)
                  : elements;
}

Result<Bytes> unwrap_migration_blob(ByteView blob, const SwtpmKey* migration_key,
                                    const SwtpmKey* file_key) {
  auto envelope = open_envelope(blob);
  if (!envelope) {
    return tl::unexpected(envelope.error());
  }
  auto content = migration_content(*envelope, migration_key).map(wiped);
  if (!content) {
    return tl::unexpected(content.error());
  }
  return (envelope->flags & flag::kFileKey) == 0
             ? plain(*envelope, content->get(), tag::kData)
             : decrypted(kFileLayer, *envelope, content->get(), file_key);
}

}  // namespace vtpm
