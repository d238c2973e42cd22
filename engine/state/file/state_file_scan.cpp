#include "engine/state/file/state_file_scan.h"

#include <algorithm>

namespace vtpm {
namespace {

// All that formatting would overwrite, and of a regular file the size that formatting gives it.
Result<bool> is_blank(const StorageFile& file) {
  auto size = file.size();
  if (!size) {
    return tl::unexpected(size.error());
  }
  if (!file.is_block_device() && *size != 0 && *size != kStateFileSize) {
    return false;
  }
  for (uint64_t offset = 0; offset < std::min<uint64_t>(*size, kStateFileSize);
       offset += kSlotSize) {
    auto bytes = file.read(offset, kSlotSize);
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    if (!is_zero(*bytes)) {
      return false;
    }
  }
  return true;
}

// Takes a copy in if it is better than what is known.
void consider(HeaderScan& scan, size_t copy, ByteView bytes) {
  auto header = decode_header(bytes);
  // A newer build has been here, and was perhaps interrupted: it knows what to make of it.
  bool newer = !header && header.error().code == Errc::unsupported;
  if (newer || (!header && scan.formatting != Formatting::good)) {
    scan.formatting =
        newer || scan.formatting == Formatting::newer ? Formatting::newer : Formatting::damaged;
    scan.reason = header.error().message;
  }
  if (!header || scan.formatting == Formatting::newer) {
    return;
  }
  bool first = scan.formatting != Formatting::good;
  scan.other_is_good = !first;
  scan.other_agrees = !first && header->epoch == scan.header.epoch;
  if (first || header->revision > scan.header.revision) {
    scan.formatting = Formatting::good;
    scan.reason.clear();
    scan.header = std::move(*header);
    scan.bytes.assign(bytes.begin(), bytes.end());
    scan.copy = copy;
  }
}

SlotScan damaged(const std::string& reason) {
  return {SlotCondition::damaged, reason, {}, {}};
}

SlotScan unreadable(const std::string& reason) {
  return {SlotCondition::unreadable, reason, {}, {}};
}

SlotScan scan_slot(const StorageFile& file, size_t blob, size_t slot, uint32_t epoch) {
  uint64_t offset = slot_offset(blob, slot);
  auto start = file.read(offset, kSlotHeader);
  if (!start) {
    return unreadable(start.error().message);
  }
  if (start->size() < kSlotHeader) {
    return damaged("the file ends before it");
  }
  if (is_zero(*start)) {
    return {};
  }
  auto header = decode_slot_header(*start);
  if (!header) {
    return damaged(header.error().message);
  }
  auto bytes = file.read(offset, header_size(*header) + header->length);
  if (!bytes) {
    return unreadable(bytes.error().message);
  }
  auto checked = decode_slot(*bytes);
  if (!checked) {
    return damaged(checked.error().message);
  }
  if (checked->blob != blob) {
    return damaged("it is another blob's");
  }
  if (checked->epoch != epoch) {
    return {SlotCondition::elsewhere, {}, {}, {}};
  }
  return {SlotCondition::good, {}, *checked, std::move(*bytes)};
}

// Whole, of whichever epoch: nobody but a vtpm has written it.
bool has_a_slot(const StorageFile& file) {
  constexpr uint32_t kNoEpoch = 0;
  for (size_t blob = 0; blob < kBlobs; ++blob) {
    for (size_t slot = 0; slot < kSlotsPerBlob; ++slot) {
      auto condition = scan_slot(file, blob, slot, kNoEpoch).condition;
      if (condition == SlotCondition::good || condition == SlotCondition::elsewhere) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

Result<HeaderScan> scan_header(const StorageFile& file) {
  HeaderScan scan;
  bool magic = false;
  for (size_t copy = 0; copy < kHeaderCopies; ++copy) {
    auto bytes = file.read(copy * kHeaderCopy, kStateHeaderSize);
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    magic = magic || has_state_file_magic(*bytes);
    consider(scan, copy, *bytes);
  }
  if (magic) {
    return scan;
  }
  auto blank = is_blank(file);
  if (!blank) {
    return tl::unexpected(blank.error());
  }
  scan.formatting = *blank ? Formatting::blank : Formatting::foreign;
  scan.reason = *blank ? "it is empty" : "it does not begin as a state file does";
  if (!*blank && has_a_slot(file)) {
    scan.formatting = Formatting::damaged;
    scan.reason = "there is no header";
  }
  return scan;
}

BlobScan scan_blob(const StorageFile& file, size_t blob, uint32_t epoch) {
  BlobScan scan;
  for (size_t slot = 0; slot < kSlotsPerBlob; ++slot) {
    SlotScan& here = scan.slots.at(slot);
    here = scan_slot(file, blob, slot, epoch);
    if (here.condition == SlotCondition::good &&
        (!scan.newest || here.slot.sequence > scan.slots.at(*scan.newest).slot.sequence)) {
      scan.newest = slot;
    }
  }
  return scan;
}

}  // namespace vtpm
