// Keys that seal a state at rest with AES-256-GCM, and what is derived from them.
//
//   SealingKey  what the operator gives: 32 bytes, or a passphrase
//   Seal        the same, bound to one state file by that file's own random salt
//
// A passphrase goes through scrypt (RFC 7914) with the file's salt and stored costs; a key through
// HKDF (RFC 5869). Every sealed text has a key and an initialisation vector of its own, derived by
// HKDF from the seal and 32 fresh random bytes: no pair of the two is ever used again, however
// often a write is repeated and wherever a copy of the file goes on.
//
// Ownership: both own their secrets, which are wiped and kept out of swap (secret.h). Threads: as
// values. docs/state_format.md has the derivations byte by byte.
#pragma once

#include <string>

#include "engine/base/result.h"
#include "engine/base/secret.h"
#include "engine/keys/crypto.h"

namespace vtpm {

inline constexpr size_t kSealSalt = 32;  // bytes

enum class KeyKind : uint8_t { none = 0, raw = 1, passphrase = 2 };

struct SealingKey {
  KeyKind kind = KeyKind::none;
  Secret secret;

  [[nodiscard]] bool empty() const { return kind == KeyKind::none; }
};

SealingKey copy_of(const SealingKey& key);

// From a source of key_source.h; a key has 32 bytes.
// Errors: invalid, saying which word is wrong; not_found, denied or io for the file.
Result<SealingKey> read_sealing_key(const std::string& source);

// How a state file's seal is derived; part of the file's header. All zero: not sealed.
struct SealParameters {
  KeyKind kind = KeyKind::none;
  ScryptCost cost{};  // of a passphrase
  Bytes salt = Bytes(kSealSalt);
};

// New ones for a key of that kind: a fresh salt, today's costs.
Result<SealParameters> new_seal_parameters(KeyKind kind);

// Whether this build would spend the memory and the time: 256 MiB at most.
bool is_affordable(ScryptCost cost);

class Seal {
 public:
  Seal() = default;

  // The kinds have to be the same and the costs affordable.
  static Result<Seal> derive(const SealingKey& key, const SealParameters& parameters);

  // Nothing is sealed with an empty one.
  [[nodiscard]] bool empty() const { return secret_.empty(); }

  // Of the bytes of a header; the one key that is used more than once, with the one function.
  [[nodiscard]] Result<Bytes> authenticate(ByteView header) const;

  // `salt`: kSealSalt bytes, fresh and random for every text.
  [[nodiscard]] Result<Sealed> close(ByteView salt, ByteView associated, ByteView text) const;
  // Errors: corrupt when anything of it was altered.
  [[nodiscard]] Result<Bytes> open(ByteView salt, ByteView associated, ByteView ciphertext,
                                   ByteView tag) const;

 private:
  Secret secret_;  // 32 bytes
};

}  // namespace vtpm
