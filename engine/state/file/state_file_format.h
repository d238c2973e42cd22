// The bytes of a `file:` state: two copies of a header, then two slots for every blob.
// docs/state_format.md has the grammar, a worked example and what follows from every damage.
//
// Big-endian. Every length is checked before use; what was read is looked at only after its
// checksum. Numbers are never given a new meaning.
//
// Threads: plain functions and values. Errors: corrupt for damage, unsupported for a newer format;
// the message says what is wrong, not where.
#pragma once

#include <array>
#include <string>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/tpm_types.h"
#include "engine/keys/sealing.h"

namespace vtpm {

// Of the format. Version 1 is read; what is written is version 2, under an epoch of its own.
inline constexpr uint16_t kStateFileVersion = 2;

// -- Layout, in bytes --

inline constexpr size_t kHeaderCopy = 4096;  // a page, a disk's block: none shares one with another
inline constexpr size_t kHeaderCopies = 2;
inline constexpr size_t kSlotSize = size_t{256} * 1024;
inline constexpr size_t kSlotsPerBlob = 2;
inline constexpr size_t kBlobs = 6;
inline constexpr size_t kFirstSlot = kHeaderCopies * kHeaderCopy;
inline constexpr size_t kStateFileSize = kFirstSlot + kBlobs * kSlotsPerBlob * kSlotSize;

// 0 to 5: permanent, volatile and savestate of a TPM 2.0, then of a TPM 1.2.
size_t blob_number(BlobName name);
BlobName blob_name(size_t number);
// "permanent state of a TPM 2.0"
std::string in_words(BlobName name);

constexpr size_t slot_offset(size_t blob, size_t slot) {
  return kFirstSlot + (blob * kSlotsPerBlob + slot) * kSlotSize;
}

// -- Header --

struct StateFileHeader {
  uint16_t version = kStateFileVersion;
  uint16_t oldest_reader = kStateFileVersion;
  uint64_t revision = 0;   // of two good copies the higher one counts
  uint32_t epoch = 0;      // what carries another one belongs to another key
  uint16_t committed = 0;  // a bit for each blob that was stored: it is not to be missed
  SealParameters seal;
};

inline constexpr size_t kStateHeaderSize = 132;

// Whether bytes begin as a header does.
bool has_state_file_magic(ByteView bytes);

// Of a sealed file: authenticated by `seal`.
Result<Bytes> encode_header(const StateFileHeader& header, const Seal& seal);
// Checks everything but the authentication.
Result<StateFileHeader> decode_header(ByteView bytes);
// Whether `seal` is the one that header was written with. `bytes` were decoded before.
Result<bool> is_authentic(ByteView bytes, const Seal& seal);

// -- Slot --

struct Slot {
  uint32_t epoch = 0;
  uint8_t blob = 0;
  bool sealed = false;
  bool removed = false;       // says that there is no such blob any more
  bool again = false;         // the same as the other slot has under the number before
  uint32_t writer = 0;        // libtpms' version: major << 16 | minor << 8 | micro
  uint64_t sequence = 0;      // of two good slots the higher one counts
  uint32_t length = 0;        // of the data
  bool of_version_1 = false;  // read only: has no `goes_with`
  // The lowest numbers that the TPM's other blobs may have beside this one. In a permanent blob's
  // slot: of the volatile blob and of the savestate; in theirs: of the permanent blob, and 0.
  std::array<uint64_t, 2> goes_with{};
};

inline constexpr size_t kSlotHeader = 128;
inline constexpr size_t kSlotHeader1 = 112;  // of version 1
inline constexpr size_t kLargestData = kSlotSize - kSlotHeader;

// Where the data begins.
constexpr size_t header_size(const Slot& slot) {
  return slot.of_version_1 ? kSlotHeader1 : kSlotHeader;
}

// A whole slot with `data`, which has slot.length bytes. An empty seal: not sealed.
Result<Bytes> encode_slot(const Slot& slot, ByteView data, const Seal& seal);
// What a slot's first kSlotHeader bytes say, unchecked but for the length: for reading the rest.
Result<Slot> decode_slot_header(ByteView bytes);
// Checks the whole slot; `bytes` has header and data. Does not open a seal.
Result<Slot> decode_slot(ByteView bytes);
// The data of a slot that was decoded.
Result<Bytes> open_slot(ByteView bytes, const Slot& slot, const Seal& seal);

}  // namespace vtpm
