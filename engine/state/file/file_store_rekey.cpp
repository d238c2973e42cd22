// The part of FileStore that changes the key: every blob under a new epoch, then one header.
#include <utility>

#include "engine/state/file/file_store.h"

namespace vtpm {
namespace {

// An epoch is a name, not a number: whatever an unreadable file holds is of another one.
Result<uint32_t> new_epoch(uint32_t but_not) {
  while (true) {
    auto bytes = random_bytes(sizeof(uint32_t));
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    uint32_t epoch = BigEndianReader(*bytes).u32();
    if (epoch != but_not) {
      return epoch;
    }
  }
}

}  // namespace

Result<void> FileStore::rekey(SealingKey key) {
  return change_key(std::move(key), Damaged::refused);
}

Result<void> FileStore::change_key(SealingKey key, Damaged damaged) {
  if (auto ready = look_inside().and_then([&] { return settle_blobs(0, kBlobs); }); !ready) {
    return ready;
  }
  auto rekeyed = begin_anew(key, opened_->header, opened_->copy);
  if (!rekeyed) {
    return tl::unexpected(rekeyed.error());
  }
  auto turned = copy_into(*rekeyed, damaged).and_then([&] { return turn(std::move(*rekeyed)); });
  if (!turned) {
    return turned;
  }
  options_.key = std::move(key);
  auto finished = finish_turn();
  if (!finished) {
    opened_.reset();  // which header counts now is to be read again
  }
  return finished;
}

// A file whose blobs are of another epoch than those that were there `after` that header.
Result<FileStore::Opened> FileStore::begin_anew(const SealingKey& key, StateFileHeader after,
                                                size_t copy) const {
  auto epoch = new_epoch(after.epoch);
  auto parameters = new_seal_parameters(key.kind);
  if (!epoch || !parameters) {
    return tl::unexpected(epoch ? parameters.error() : epoch.error());
  }
  auto seal = Seal::derive(key, *parameters);
  if (!seal) {
    return tl::unexpected(seal.error());
  }
  after.version = kStateFileVersion;
  after.oldest_reader = kStateFileVersion;
  after.epoch = *epoch;
  after.seal = std::move(*parameters);
  return Opened{.header = std::move(after), .copy = copy, .seal = std::move(*seal), .places = {}};
}

// Every blob into its idle slot, under the new key; the old header does not know those.
Result<void> FileStore::copy_into(Opened& rekeyed, Damaged damaged) {
  rekeyed.places = opened_->places;
  for (size_t blob = 0; blob < kBlobs; ++blob) {
    auto data = load(blob_name(blob));
    opened_->places.at(blob).filled = false;
    if (data) {
      if (auto copied = copy_blob_into(rekeyed, blob, *data); !copied) {
        return copied;
      }
      continue;
    }
    Errc code = data.error().code;
    bool lost = code == Errc::corrupt && damaged == Damaged::stay_damaged;
    if (code != Errc::not_found && !lost) {
      return tl::unexpected(data.error());
    }
    auto& place = rekeyed.places.at(blob);
    place.newest = 0;
    place.present = false;
    if (!lost) {  // what was lost is still not to be missed
      rekeyed.header.committed &= static_cast<uint16_t>(~(1U << blob));
    }
  }
  return file_.make_durable();
}

// The slot is written to its end: what was there before may not be sealed.
Result<void> FileStore::copy_blob_into(Opened& rekeyed, size_t blob, ByteView data) {
  auto bytes = next_slot(rekeyed, blob, {}, data);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  bytes->resize(kSlotSize);
  auto& place = rekeyed.places.at(blob);
  auto written = file_.write(slot_offset(blob, place.idle), *bytes);
  place.idle = 1 - place.idle;
  place.newest = place.lowest = place.sequence;
  place.filled = false;
  return written;
}

// The turning point: until this header is durable, the old one with the old slots counts. If that
// fails it may or may not have arrived: the old one is written above it, here or before whatever is
// stored next, and nothing is stored until that is durable. The file is not looked at meanwhile:
// what it says now asks for the new key, and a state that cannot be read may be replaced.
Result<void> FileStore::turn(Opened rekeyed) {
  size_t copy = 1 - rekeyed.copy;
  Opened before = std::exchange(*opened_, std::move(rekeyed));
  auto turned = write_header(copy).and_then([&] { return file_.make_durable(); });
  if (!turned) {
    before.header.revision = opened_->header.revision;
    before.sure = false;
    opened_ = std::move(before);
    static_cast<void>(write_header(copy));  // written again by settle_blobs()
  }
  return turned;
}

// After the turning point: the other header says the same, and what lay there before it goes.
Result<void> FileStore::finish_turn() {
  opened_->replaces = false;
  auto finished =
      write_header(1 - opened_->copy).and_then([&] { return finish_slots(); }).and_then([&] {
        return file_.make_durable();
      });
  opened_->sure = finished.has_value();
  return finished;
}

// Both slots of every blob are of this epoch, or empty.
Result<void> FileStore::finish_slots() {
  for (size_t blob = 0; blob < kBlobs; ++blob) {
    if (auto done = finish_slots_of(blob); !done) {
      return done;
    }
  }
  return {};
}

Result<void> FileStore::finish_slots_of(size_t blob) {
  auto found = find(blob);
  if (!found) {
    return tl::unexpected(found.error());
  }
  auto& place = opened_->places.at(blob);
  for (size_t slot = 0; slot < kSlotsPerBlob; ++slot) {
    SlotCondition condition = found->slots.at(slot).condition;
    if (condition == SlotCondition::good || (!found->newest && condition == SlotCondition::empty)) {
      continue;
    }
    Result<Bytes> bytes = Bytes();
    if (found->newest) {
      const SlotScan& newest = found->slots.at(*found->newest);
      bytes = open_slot(newest.bytes, newest.slot, opened_->seal).and_then([&](const Bytes& data) {
        return next_slot(*opened_, blob, {.removed = newest.slot.removed, .again = true}, data);
      });
    }
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    bytes->resize(kSlotSize);
    if (auto written = file_.write(slot_offset(blob, slot), *bytes); !written) {
      return written;
    }
    if (found->newest) {
      place.idle = 1 - slot;
      place.newest = place.sequence;
      place.filled = true;
    }
  }
  return {};
}

}  // namespace vtpm
