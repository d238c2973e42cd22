// What is found in a `file:` state, good or not, before anybody decides what follows from it: for
// the store that loads it and for `vtpmctl state inspect`.
//
// Nothing is written, no key is needed. Threads: plain functions and values.
// Errors: io when the storage cannot be read at all; everything else is a finding.
#pragma once

#include <array>
#include <optional>

#include "engine/state/file/state_file_format.h"
#include "engine/state/file/storage_file.h"

namespace vtpm {

enum class Formatting {
  blank,    // nothing but zeroes, or nothing at all: may be formatted
  foreign,  // something that no vtpm has written: never touched
  damaged,  // a state file without one good header
  newer,    // in a format that this build does not have
  good,
};

struct HeaderScan {
  Formatting formatting = Formatting::blank;
  std::string reason;  // why it is not good
  // Of the newest good copy:
  StateFileHeader header;
  Bytes bytes;
  size_t copy = 0;
  bool other_is_good = false;
  bool other_agrees = false;  // and it is of the same epoch
};

Result<HeaderScan> scan_header(const StorageFile& file);

enum class SlotCondition {
  empty,      // never written
  elsewhere,  // of another epoch: of a key that is no longer used, or not yet
  good,
  damaged,     // or not written to its end
  unreadable,  // the storage failed: what is there is not known
};

struct SlotScan {
  SlotCondition condition = SlotCondition::empty;
  std::string reason;  // of damage, or why it cannot be read
  Slot slot;           // of a good one
  Bytes bytes;         // of a good one: header and data
};

struct BlobScan {
  std::array<SlotScan, kSlotsPerBlob> slots;
  std::optional<size_t> newest;  // of the good ones
};

BlobScan scan_blob(const StorageFile& file, size_t blob, uint32_t epoch);

}  // namespace vtpm
