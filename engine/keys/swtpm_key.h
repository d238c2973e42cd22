// A key for swtpm's blob formats, from one of the sources of key_source.h and with swtpm's words:
//
//   mode=aes-128-cbc (default; also aes-cbc) or aes-256-cbc
//   kdf=pbkdf2 (default) or sha512, for a passphrase
//
// The derivations are swtpm's (--key, --migration-key).
#pragma once

#include <string>

#include "engine/base/result.h"
#include "engine/base/secret.h"

namespace vtpm {

// 16 or 32 bytes.
using SwtpmKey = Secret;

// Only whether the words of a source make sense; nothing is opened. Errors: invalid.
Result<void> check_swtpm_key_words(const std::string& source);

// Reads, and derives where a passphrase is given.
// Errors: invalid, saying which word is wrong; not_found, denied or io for the file.
Result<SwtpmKey> read_swtpm_key(const std::string& source);

}  // namespace vtpm
