#include "engine/file_store.h"

#include <limits>
#include <utility>

namespace vtpm {
namespace {

uint16_t bit_of(size_t blob) {
  return static_cast<uint16_t>(1U << blob);
}

bool was_committed(const StateFileHeader& header, size_t blob) {
  return (header.committed & bit_of(blob)) != 0;
}

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

// No TPM gets there; a number that was put there by hand would make what is stored now the older.
tl::unexpected<Error> used_up(const std::string& path) {
  return failure(Errc::corrupt, path + " was altered: there is no higher number left for a state");
}

std::string first_reason(const BlobScan& scan) {
  for (const SlotScan& slot : scan.slots) {
    if (slot.condition == SlotCondition::damaged) {
      return slot.reason;
    }
  }
  return "it is gone";
}

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(const std::string& path,
                                                   FileStoreOptions options) {
  auto file = StorageFile::open(path, options.access, options.create);
  if (!file) {
    return tl::unexpected(file.error());
  }
  auto size = file->is_block_device() ? file->size() : Result<uint64_t>(kStateFileSize);
  if (!size) {
    return tl::unexpected(size.error());
  }
  if (*size < kStateFileSize) {
    return failure(Errc::invalid, path + " has " + std::to_string(*size) +
                                      " bytes; a TPM's state needs " +
                                      std::to_string(kStateFileSize));
  }
  return std::unique_ptr<FileStore>(new FileStore(std::move(*file), std::move(options)));
}

FileStore::FileStore(StorageFile file, FileStoreOptions options)
    : file_(std::move(file)), options_(std::move(options)) {}

Result<void> FileStore::lock() {
  if (file_.is_locked()) {
    return {};
  }
  opened_.reset();  // somebody else may have changed it
  return file_.lock();
}

void FileStore::unlock() {
  opened_.reset();
  file_.unlock();
}

// -- Understanding the file --

Result<void> FileStore::look_inside() {
  if (opened_ && file_.is_locked()) {
    return {};
  }
  opened_.reset();
  auto scan = scan_header(file_);
  if (!scan) {
    return tl::unexpected(scan.error());
  }
  const std::string here = "the state in " + file_.path();
  switch (scan->formatting) {
    case Formatting::blank:
      return failure(Errc::not_found, file_.path() + " is empty");
    case Formatting::foreign:
      return failure(Errc::invalid, file_.path() + " holds something else than a TPM's state (" +
                                        scan->reason + "); it is not touched");
    case Formatting::newer:
      return failure(Errc::unsupported, here + " cannot be read: " + scan->reason);
    case Formatting::damaged:
      return failure(Errc::corrupt, here + " is damaged: " + scan->reason + " in either copy");
    case Formatting::good:
      break;
  }
  bool both = scan->other_is_good;
  auto opened = unseal(std::move(*scan));
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  if (!both && options_.tell) {
    options_.tell("one of the two headers in " + file_.path() +
                  " was not written to its end, or was damaged; the other one counts, and the next "
                  "change mends it");
  }
  opened_ = std::move(*opened);
  return {};
}

Result<void> FileStore::check_key(const HeaderScan& scan) const {
  const std::string here = "the state in " + file_.path();
  KeyKind kind = scan.header.seal.kind;
  if (kind == options_.key.kind) {
    return {};
  }
  if (kind == KeyKind::none) {
    return failure(Errc::denied, here +
                                     " is not sealed, and a key was given. Leave the key out, "
                                     "or seal it: vtpmctl state rekey");
  }
  std::string sealed =
      here + " is sealed with " + (kind == KeyKind::raw ? "a key" : "a passphrase") + ", and ";
  if (options_.key.empty()) {
    return failure(Errc::denied, sealed + "none was given");
  }
  return failure(Errc::denied,
                 sealed + (kind == KeyKind::raw ? "a passphrase" : "a key") + " was given");
}

Result<FileStore::Opened> FileStore::unseal(HeaderScan scan) const {
  if (auto fits = check_key(scan); !fits) {
    return tl::unexpected(fits.error());
  }
  auto seal = Seal::derive(options_.key, scan.header.seal);
  if (!seal) {
    return tl::unexpected(seal.error());
  }
  auto authentic = seal->empty() ? Result<bool>(true) : is_authentic(scan.bytes, *seal);
  if (!authentic) {
    return tl::unexpected(authentic.error());
  }
  if (!*authentic) {
    return failure(Errc::denied, "the key for the state in " + file_.path() +
                                     " is wrong, or the file's header was altered");
  }
  Opened opened{std::move(scan.header), scan.copy, std::move(*seal), {}};
  opened.headers_agree = scan.other_agrees;
  return opened;
}

// Nothing follows from what could not be read: it may be the newest state, and it may be read again
// later.
Result<BlobScan> FileStore::scan(size_t blob, uint32_t epoch) const {
  BlobScan found = scan_blob(file_, blob, epoch);
  for (const SlotScan& slot : found.slots) {
    if (slot.condition == SlotCondition::unreadable) {
      return failure(Errc::io, slot.reason);
    }
  }
  return found;
}

// Where the newest of a blob is; remembers where the next one goes. What is remembered already
// stays so: a slot whose store was refused may look good, and it is the one to be written again.
Result<BlobScan> FileStore::find(size_t blob) {
  if (auto inside = look_inside(); !inside) {
    return tl::unexpected(inside.error());
  }
  auto found = scan(blob, opened_->header.epoch);
  auto& place = opened_->places.at(blob);
  if (found && place.known && place.sequence > 0) {
    size_t active = 1 - place.idle;
    bool good = found->slots.at(active).condition == SlotCondition::good;
    found->newest = good ? std::optional(active) : std::nullopt;
  }
  if (!found || place.known) {
    return found;
  }
  place.known = true;
  place.idle = found->newest ? 1 - *found->newest : 0;
  if (found->newest) {
    const Slot& newest = found->slots.at(*found->newest).slot;
    place.sequence = newest.sequence;
    place.present = !newest.removed;
  }
  return found;
}

// -- Load --

Result<Bytes> FileStore::load(BlobName name) {
  size_t blob = blob_number(name);
  auto scan = find(blob);
  if (!scan) {
    return tl::unexpected(scan.error());
  }
  const std::string what = "the " + in_words(name) + " in " + file_.path();
  if (!scan->newest) {
    return was_committed(opened_->header, blob)
               ? failure(Errc::corrupt, what + " is damaged: " + first_reason(*scan))
               : failure(Errc::not_found, "there is no " + in_words(name) + " in " + file_.path());
  }
  const SlotScan& newest = scan->slots.at(*scan->newest);
  auto data = open_slot(newest.bytes, newest.slot, opened_->seal);
  if (!data) {
    return failure(data.error().code, what + " cannot be used: " + data.error().message);
  }
  tell_of_damage(blob, *scan);
  if (newest.slot.removed) {
    return failure(Errc::not_found, "the " + in_words(name) + " was removed");
  }
  return data;
}

void FileStore::tell_of_damage(size_t blob, const BlobScan& scan) const {
  const SlotScan& other = scan.slots.at(1 - *scan.newest);
  if (other.condition == SlotCondition::damaged && options_.tell) {
    options_.tell("of the two copies of the " + in_words(blob_name(blob)) + " in " + file_.path() +
                  " one was not written to its end, or was damaged (" + other.reason +
                  "); going on from the other, number " +
                  std::to_string(scan.slots.at(*scan.newest).slot.sequence));
  }
}

// -- Store --

Result<void> FileStore::store(BlobName name, ByteView blob) {
  if (blob.size() > kLargestData) {
    return failure(Errc::invalid, "a blob of " + std::to_string(blob.size()) + " bytes; " +
                                      file_.path() + " takes " + std::to_string(kLargestData));
  }
  size_t number = blob_number(name);
  if (auto room = make_room(number); !room) {
    return room;
  }
  auto written = write_slot(number, false, blob);
  return written ? mark_committed(number) : written;
}

Result<void> FileStore::remove(BlobName name) {
  size_t number = blob_number(name);
  auto scan = find(number);
  if (!scan) {
    return scan.error().code == Errc::not_found ? Result<void>() : tl::unexpected(scan.error());
  }
  return opened_->places.at(number).present ? write_slot(number, true, {}) : Result<void>();
}

// Such that the blob can be written: a file that was understood, or is begun.
Result<void> FileStore::make_room(size_t blob) {
  auto inside = look_inside();
  if (!inside) {
    Errc code = inside.error().code;
    bool unreadable = code == Errc::corrupt || code == Errc::denied;
    if (code == Errc::not_found) {
      inside = format();
    } else if (unreadable && blob_name(blob).kind == BlobKind::permanent) {
      inside = begin_replacing(blob);
    }
  }
  if (!inside || opened_->places.at(blob).known) {
    return inside;
  }
  auto scan = find(blob);
  return scan ? Result<void>() : tl::unexpected(scan.error());
}

// Of a blank file: both copies of a header without blobs. Durable whatever the options say: a blob
// behind a header that was lost would be somebody else's file.
Result<void> FileStore::format() {
  auto begun = begin_anew(options_.key, {}, 0);
  if (!begun) {
    return tl::unexpected(begun.error());
  }
  auto sized = file_.is_block_device() ? Result<void>() : file_.resize(kStateFileSize);
  if (!sized) {
    return sized;
  }
  opened_ = std::move(*begun);
  auto written = write_header(0).and_then([&] { return write_header(1); }).and_then([&] {
    return file_.make_durable();
  });
  if (!written) {
    opened_.reset();
  }
  return written;
}

// Of a file that cannot be read: until the blob is durable and a header says so, the file is what
// it was.
Result<void> FileStore::begin_replacing(size_t blob) {
  auto found = scan_header(file_);
  if (!found) {
    return tl::unexpected(found.error());
  }
  auto old = scan(blob, found->header.epoch);
  if (!old) {
    return tl::unexpected(old.error());
  }
  auto begun = begin_anew(options_.key, std::move(found->header), found->copy);
  if (!begun) {
    return tl::unexpected(begun.error());
  }
  begun->header.committed = 0;
  begun->replaces = true;
  begun->places.at(blob).known = true;
  begun->places.at(blob).idle = old->newest ? 1 - *old->newest : 0;
  opened_ = std::move(*begun);
  return {};
}

// The bytes of a blob's next slot. A number that was tried is not used again.
Result<Bytes> FileStore::next_slot(Opened& in, size_t blob, bool removed, ByteView data) const {
  if (in.places.at(blob).sequence == std::numeric_limits<uint64_t>::max()) {
    return used_up(file_.path());
  }
  Slot slot{.epoch = in.header.epoch,
            .blob = static_cast<uint8_t>(blob),
            .sealed = !in.seal.empty(),
            .removed = removed,
            .writer = options_.writer,
            .sequence = ++in.places.at(blob).sequence,
            .length = static_cast<uint32_t>(data.size())};
  return encode_slot(slot, data, in.seal);
}

// Into the idle slot. Until it is durable the other one stays what it is.
Result<void> FileStore::write_slot(size_t blob, bool removed, ByteView data) {
  auto& place = opened_->places.at(blob);
  auto durable = settle(blob)
                     .and_then([&] { return next_slot(*opened_, blob, removed, data); })
                     .and_then([&](const Bytes& bytes) {
                       return file_.write(slot_offset(blob, place.idle), bytes);
                     })
                     .and_then([&] { return make_durable(); });
  if (durable) {
    place.idle = 1 - place.idle;
    place.present = !removed;
    place.settled = true;
  } else if (opened_->replaces) {
    opened_.reset();
  }
  return durable;
}

// The first time: from now on the blob is not to be missed, whichever header is damaged.
Result<void> FileStore::mark_committed(size_t blob) {
  if (was_committed(opened_->header, blob)) {
    return {};
  }
  opened_->header.committed |= bit_of(blob);
  auto written = write_header(1 - opened_->copy).and_then([&] { return make_durable(); });
  if (written) {
    written = opened_->replaces
                  ? finish_turn()
                  : write_header(1 - opened_->copy).and_then([&] { return make_durable(); });
  }
  if (!written) {
    opened_.reset();  // which header counts now is to be read again
  }
  return written;
}

Result<void> FileStore::write_header(size_t copy) {
  if (opened_->header.revision == std::numeric_limits<uint64_t>::max()) {
    return used_up(file_.path());
  }
  ++opened_->header.revision;
  opened_->copy = copy;
  auto bytes = encode_header(opened_->header, opened_->seal);
  return bytes ? file_.write(copy * kHeaderCopy, *bytes) : tl::unexpected(bytes.error());
}

Result<void> FileStore::make_durable() {
  return options_.sync == Sync::full ? file_.make_durable() : Result<void>();
}

// Before the first write: what was found may be in the kernel's memory alone, because whoever wrote
// it was killed before its sync, or the sync was refused. It has to be durable before that is
// overwritten which is. A flush alone is not enough: after one that failed, the kernel takes what
// it has for written.
Result<void> FileStore::settle(size_t blob) {
  auto& place = opened_->places.at(blob);
  if (place.settled || opened_->replaces) {
    return {};
  }
  auto done = mend_headers().and_then([&] { return write_again(blob); }).and_then([&] {
    return make_durable();
  });
  place.settled = done.has_value();
  return done;
}

// The other header is damaged, or of the key before this one: a change of the key was interrupted
// behind its turning point.
Result<void> FileStore::mend_headers() {
  if (opened_->headers_agree) {
    return {};
  }
  auto mended =
      write_header(1 - opened_->copy).and_then([&] { return file_.make_durable(); }).and_then([&] {
        return wipe_other_slots();
      });
  opened_->headers_agree = mended.has_value();
  return mended;
}

Result<void> FileStore::write_again(size_t blob) {
  auto found = find(blob);
  if (!found || !found->newest) {
    return found ? Result<void>() : tl::unexpected(found.error());
  }
  return file_.write(slot_offset(blob, *found->newest), found->slots.at(*found->newest).bytes);
}

// -- Another key --

Result<void> FileStore::rekey(SealingKey key) {
  if (auto inside = look_inside(); !inside) {
    return inside;
  }
  auto rekeyed = begin_anew(key, opened_->header, opened_->copy);
  if (!rekeyed) {
    return tl::unexpected(rekeyed.error());
  }
  auto turned = file_.make_durable().and_then([&] { return copy_into(*rekeyed); }).and_then([&] {
    return turn(std::move(*rekeyed));
  });
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

// The turning point: until this header is durable, the old one with the old slots counts. If that
// fails it may or may not have arrived: the old one is written above it.
Result<void> FileStore::turn(Opened rekeyed) {
  size_t copy = 1 - rekeyed.copy;
  Opened before = std::exchange(*opened_, std::move(rekeyed));
  auto turned = write_header(copy).and_then([&] { return file_.make_durable(); });
  if (!turned) {
    before.header.revision = opened_->header.revision;
    for (auto& place : before.places) {
      place.settled = false;
    }
    opened_ = std::move(before);
    if (!write_header(copy)) {
      opened_.reset();
    }
  }
  return turned;
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
  after.epoch = *epoch;
  after.seal = std::move(*parameters);
  return Opened{std::move(after), copy, std::move(*seal), {}};
}

// Every blob into its idle slot, under the new key; the old header does not know those. The slots
// are written to their end: what was there before may not be sealed.
Result<void> FileStore::copy_into(Opened& rekeyed) {
  for (size_t blob = 0; blob < kBlobs; ++blob) {
    auto data = load(blob_name(blob));
    if (!data && data.error().code != Errc::not_found) {
      return tl::unexpected(data.error());
    }
    rekeyed.places.at(blob) = opened_->places.at(blob);
    if (!data) {
      rekeyed.header.committed &= static_cast<uint16_t>(~bit_of(blob));
      continue;
    }
    auto bytes = next_slot(rekeyed, blob, false, *data);
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    bytes->resize(kSlotSize);
    size_t& idle = rekeyed.places.at(blob).idle;
    if (auto written = file_.write(slot_offset(blob, idle), *bytes); !written) {
      return written;
    }
    idle = 1 - idle;
  }
  return file_.make_durable();
}

// After the turning point: the other header says the same, and what lay there before it goes.
Result<void> FileStore::finish_turn() {
  opened_->replaces = false;
  return write_header(1 - opened_->copy).and_then([&] { return wipe_other_slots(); }).and_then([&] {
    return file_.make_durable();
  });
}

Result<void> FileStore::wipe_other_slots() {
  const Bytes zeroes(kSlotSize);
  for (size_t blob = 0; blob < kBlobs; ++blob) {
    auto found = scan(blob, opened_->header.epoch);
    if (!found) {
      return tl::unexpected(found.error());
    }
    for (size_t slot = 0; slot < kSlotsPerBlob; ++slot) {
      auto condition = found->slots.at(slot).condition;
      if (condition != SlotCondition::elsewhere && condition != SlotCondition::damaged) {
        continue;
      }
      if (auto wiped = file_.write(slot_offset(blob, slot), zeroes); !wiped) {
        return wiped;
      }
    }
  }
  return {};
}

}  // namespace vtpm
