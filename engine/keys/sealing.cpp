#include "engine/keys/sealing.h"

#include <array>

#include "engine/keys/key_source.h"

namespace vtpm {
namespace {

constexpr size_t kKeySize = 32;
constexpr std::string_view kFileInfo = "vtpm state file";
constexpr std::string_view kHeaderInfo = "vtpm state header";
constexpr std::string_view kSlotInfo = "vtpm state slot";

// As strong as OWASP asks for (2^17, 8, 1), with a quarter of the memory: many TPMs may start at
// once. 32 MiB.
constexpr ScryptCost kCost{.log2_n = 15, .r = 8, .p = 3};

// Key and initialisation vector of one text.
Result<Secret> text_key(const Secret& seal, ByteView salt) {
  return hkdf_sha256(seal.view(), salt, kSlotInfo, kKeySize + kGcmIv);
}

}  // namespace

SealingKey copy_of(const SealingKey& key) {
  return {key.kind, Secret(key.secret.view())};
}

Result<SealingKey> read_sealing_key(const std::string& source) {
  auto read = read_key_source(source);
  if (!read) {
    return tl::unexpected(read.error());
  }
  if (read->passphrase && read->input.empty()) {
    return failure(Errc::invalid, "key: the passphrase is empty, which seals nothing");
  }
  if (read->passphrase) {
    auto removed = remove_if_asked(*read);
    return removed ? Result<SealingKey>({KeyKind::passphrase, std::move(read->input)})
                   : tl::unexpected(removed.error());
  }
  auto key = key_of(*read, kKeySize);
  auto removed = key ? remove_if_asked(*read) : tl::unexpected(key.error());
  return removed ? Result<SealingKey>({KeyKind::raw, std::move(*key)})
                 : tl::unexpected(removed.error());
}

Result<SealParameters> new_seal_parameters(KeyKind kind) {
  if (kind == KeyKind::none) {
    return SealParameters();
  }
  auto salt = random_bytes(kSealSalt);
  if (!salt) {
    return tl::unexpected(salt.error());
  }
  return SealParameters{kind, kind == KeyKind::passphrase ? kCost : ScryptCost{}, *salt};
}

bool is_affordable(ScryptCost cost) {
  constexpr uint64_t kMostMemory = uint64_t{256} << 20;
  constexpr uint16_t kMostRounds = 16;
  constexpr uint8_t kMostLog2 = 24;
  return cost.log2_n > 0 && cost.log2_n <= kMostLog2 && cost.r > 0 && cost.p > 0 &&
         cost.p <= kMostRounds && (uint64_t{128} << cost.log2_n) * cost.r <= kMostMemory;
}

Result<Seal> Seal::derive(const SealingKey& key, const SealParameters& parameters) {
  if (key.empty()) {
    return Seal();
  }
  auto secret = key.kind == KeyKind::passphrase
                    ? scrypt(key.secret.view(), parameters.salt, parameters.cost, kKeySize)
                    : hkdf_sha256(key.secret.view(), parameters.salt, kFileInfo, kKeySize);
  if (!secret) {
    return tl::unexpected(secret.error());
  }
  Seal seal;
  seal.secret_ = std::move(*secret);
  return seal;
}

Result<Bytes> Seal::authenticate(ByteView header) const {
  auto key = hkdf_sha256(secret_.view(), {}, kHeaderInfo, kKeySize);
  return key ? hmac_sha256(key->view(), header) : tl::unexpected(key.error());
}

Result<Sealed> Seal::close(ByteView salt, ByteView associated, ByteView text) const {
  auto key = text_key(secret_, salt);
  if (!key) {
    return tl::unexpected(key.error());
  }
  return aes_gcm_seal(key->view().first(kKeySize), key->view().subspan(kKeySize), associated, text);
}

Result<Bytes> Seal::open(ByteView salt, ByteView associated, ByteView ciphertext,
                         ByteView tag) const {
  auto key = text_key(secret_, salt);
  if (!key) {
    return tl::unexpected(key.error());
  }
  return aes_gcm_open(key->view().first(kKeySize), key->view().subspan(kKeySize), associated,
                      ciphertext, tag);
}

}  // namespace vtpm
