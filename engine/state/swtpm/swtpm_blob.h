// swtpm's blob formats: what its state files contain, and what travels over the control surface for
// snapshots and migration. docs/state_format.md describes both.
//
// A blob is a 10-byte big-endian header {version 1, min_version 1, header size 2, flags 2, total
// length 4} and a list of {tag 2, length 4, data}. Lengths come from the blob and are checked
// before use; a message authentication code is checked before what it covers is looked at.
//
// Threads: plain functions, keys are borrowed for the call.
// Errors, each with the result code that swtpm gives for it:
//   unsupported  a newer format (0x2e); no key, and one is needed (0x0d); a key of the other
//                length (0x28)
//   invalid      a key, and the state is not encrypted (0x28); a blob of the other kind (0x03)
//   corrupt      the key is wrong or the state was altered (0x21); lengths do not fit (0x03, 0x2b)
#pragma once

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/keys/swtpm_key.h"

namespace vtpm {

// -- State files --

// The file for `data`; `key` null: not encrypted.
Result<Bytes> wrap_swtpm_blob(ByteView data, const SwtpmKey* key);

// The data within a file's `blob`. With a key the blob must be encrypted, without one it must not:
// a plain file in the place of an encrypted one is not taken for it.
Result<Bytes> unwrap_swtpm_blob(ByteView blob, const SwtpmKey* key);

// -- State blobs on the control surface (GET_STATEBLOB, SET_STATEBLOB) --

// `migration_key` null: not encrypted for the way. `file_key` null: nor within.
Result<Bytes> wrap_migration_blob(ByteView data, const SwtpmKey* migration_key,
                                  const SwtpmKey* file_key = nullptr);

// Each key is used when the blob says that it is encrypted with one of that kind; what is not
// encrypted is taken as it is.
Result<Bytes> unwrap_migration_blob(ByteView blob, const SwtpmKey* migration_key,
                                    const SwtpmKey* file_key = nullptr);

}  // namespace vtpm
