// Where a key comes from: a file, an inherited descriptor, a credential; never the command line
// itself.
//
//   file=PATH, fd=N, credential=NAME            the key, in hexadecimal (format=hex, the default)
//   or
//                                               as it is (format=binary); white space and zero
//                                               bytes behind hexadecimal digits are left out
//   pwdfile=PATH, pwdfd=N, pwdcredential=NAME   a passphrase, the whole file with its newline
//   remove                                      unlinks the file once the key was found usable
//
// A descriptor is closed when it was read, unless it is 0 to 2; so is PATH's if PATH is /dev/fd/N.
//
// A credential is one of systemd's: a file in $CREDENTIALS_DIRECTORY (systemd.exec(5)). The syntax
// is swtpm's (--key, --migration-key); what becomes of a passphrase is the user's of this file.
//
// Ownership: the secret is the caller's. Threads: before the first one, for the environment.
// Errors: invalid, saying which word is wrong; not_found, denied or io for the file.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/base/secret.h"

namespace vtpm {

struct KeySource {
  std::map<std::string, std::string> words;
  bool passphrase;  // or the key itself
  Secret input;     // as it was read: at most 4096 bytes; an empty passphrase is the user's matter

  [[nodiscard]] std::string word_or(const std::string& name, const std::string& otherwise) const;
};

// `further`: words that may stand there besides those above.
Result<KeySource> read_key_source(const std::string& source,
                                  std::span<const std::string_view> further = {});

// The words of a source, if they make sense; nothing is opened. Errors: invalid.
Result<std::map<std::string, std::string>> key_words(
    const std::string& source, std::span<const std::string_view> further = {});

// The key of `size` bytes that was read, whichever format it is in.
Result<Secret> key_of(const KeySource& source, size_t size);

Result<void> remove_if_asked(const KeySource& source);

}  // namespace vtpm
