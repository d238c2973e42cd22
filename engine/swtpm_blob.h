// swtpm's blob formats: what its state files contain, and what travels over the control surface for
// snapshots and migration. docs/state_format.md describes both.
//
// A blob is a 10-byte big-endian header {version 1, min_version 1, header size 2, flags 2, total
// length 4} and a list of {tag 2, length 4, data}. Lengths come from the blob and are checked
// before use; a message authentication code is checked before what it covers is looked at.
//
// Threads: plain functions. Views are into the blob they were made from.
// Errors: corrupt when lengths or the code do not fit, unsupported when a newer format or a key is
// needed; each carries the result code that swtpm gives for it.
#pragma once

#include "engine/bytes.h"
#include "engine/result.h"
#include "engine/swtpm_key.h"

namespace vtpm {

// -- State files --

// The blob for `data` as swtpm writes it to a file without a key.
Bytes wrap_swtpm_blob(ByteView data);

// The data within a file's `blob`; a view into it.
Result<ByteView> unwrap_swtpm_blob(ByteView blob);

// -- State blobs on the control surface (GET_STATEBLOB, SET_STATEBLOB) --

// `key` null: not encrypted.
Result<Bytes> wrap_migration_blob(ByteView data, const SwtpmKey* key);

// `key` is used when the blob says that it is encrypted; blobs that are not are taken as they are.
Result<Bytes> unwrap_migration_blob(ByteView blob, const SwtpmKey* key);

}  // namespace vtpm
