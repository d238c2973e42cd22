// swtpm's blob format: what its state files contain. docs/state_format.md describes it.
//
// A blob is a 10-byte big-endian header {version 1, min_version 1, header size 2, flags 2, total
// length 4} and a list of {tag 2, length 4, data}. Lengths come from the blob and are checked
// before use.
#pragma once

#include "engine/bytes.h"
#include "engine/result.h"

namespace vtpm {

// The blob for `data` as swtpm writes it to a file without a key.
Bytes wrap_swtpm_blob(ByteView data);

// The data within `blob`; a view into it.
// Errors: corrupt when lengths do not fit, unsupported when it is encrypted or of a newer format.
Result<ByteView> unwrap_swtpm_blob(ByteView blob);

}  // namespace vtpm
