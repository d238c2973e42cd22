// A key for swtpm's blob formats, and where it comes from: a file, an inherited descriptor, a
// credential; never the command line itself.
//
//   file=PATH, fd=N, credential=NAME
//       the key: in hexadecimal (format=hex, the default) or as it is (format=binary)
//   pwdfile=PATH, pwdfd=N, pwdcredential=NAME
//       a passphrase, the whole file with its newline; kdf=pbkdf2 (default) or sha512
//   mode=aes-128-cbc (default; also aes-cbc) or aes-256-cbc
//   remove
//       unlinks the file once it was read
//
// A credential is one of systemd's: a file in $CREDENTIALS_DIRECTORY (systemd.exec(5)). The rest of
// the syntax and the derivations are swtpm's (--key, --migration-key).
#pragma once

#include <string>

#include "engine/result.h"
#include "engine/secret.h"

namespace vtpm {

// 16 or 32 bytes.
using SwtpmKey = Secret;

// Reads, and derives where a passphrase is given.
// Errors: invalid, saying which word is wrong; not_found, denied or io for the file.
Result<SwtpmKey> read_swtpm_key(const std::string& source);

}  // namespace vtpm
