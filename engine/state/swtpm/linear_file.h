// swtpm's linear file (`--tpmstate backend-uri=file://`): a TPM's blobs in sections of one file or
// block device. docs/state_format.md describes it.
//
// A 192-byte little-endian header {magic 8, version 1, padding 1, header size 2} and 15 entries
// {offset 4, data length 4, section length 4}, of which the first three are the permanent, the
// volatile and the savestate blob. What is in a section is a file's blob (swtpm_blob.h), encrypted
// or not. The whole header is checked before any of it is used.
//
// Threads: plain functions. Views are into the file they were made from.
// Errors: not_found when there is no such blob, unsupported for another version of the format,
// corrupt when it is no linear file or its header does not fit together, with the reason.
#pragma once

#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

// The blob of that kind in `file`, which may be longer than what its header speaks of.
Result<ByteView> read_linear_file(ByteView file, BlobKind kind);

struct LinearSection {
  BlobKind kind;
  Bytes blob;
};

// The whole file, sections in the order given, each of the next power of two as swtpm makes them.
// Each kind at most once.
Bytes build_linear_file(const std::vector<LinearSection>& sections);

}  // namespace vtpm
