#include "engine/state/file/file_store.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

namespace vtpm {
namespace {

uint16_t bit_of(size_t blob) {
  return static_cast<uint16_t>(1U << blob);
}

bool was_committed(const StateFileHeader& header, size_t blob) {
  return (header.committed & bit_of(blob)) != 0;
}

// No TPM gets there; a number that was put there by hand would make what is stored now the older.
tl::unexpected<Error> used_up(const std::string& path) {
  return failure(Errc::corrupt, path + " was altered: there is no higher number left for a state");
}

// A TPM's blobs have numbers in a row: its permanent one, then the two that depend on it.
constexpr size_t kBlobsOfATpm = kBlobs / 2;

size_t permanent_of(size_t blob) {
  return blob_number({blob_name(blob).version, BlobKind::permanent});
}

bool is_permanent(size_t blob) {
  return permanent_of(blob) == blob;
}

// What it keeps, from what its slots say.
template <class Place>
void learn(Place& place, size_t blob, const BlobScan& scan) {
  place.known = true;
  if (!scan.newest) {
    return;
  }
  const Slot& newest = scan.slots.at(*scan.newest).slot;
  const SlotScan& other = scan.slots.at(1 - *scan.newest);
  place.idle = 1 - *scan.newest;
  place.sequence = place.newest = newest.sequence;
  place.lowest = newest.again ? newest.sequence - 1 : newest.sequence;
  place.goes_with = newest.goes_with;
  place.present = !newest.removed;
  // What another process has removed may be in the other slot, whatever the cache has there.
  place.filled = is_permanent(blob) && !newest.removed && other.condition == SlotCondition::good;
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

// Whoever has it next may be another host, which knows only what is on the disk.
void FileStore::unlock() {
  if (file_.is_locked() && options_.sync == Sync::none) {
    static_cast<void>(file_.make_durable());
  }
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
  if (!found) {
    return found;
  }
  if (!place.known) {
    learn(place, blob, *found);
    return found;
  }
  size_t active = 1 - place.idle;
  bool good = place.newest > 0 && found->slots.at(active).condition == SlotCondition::good;
  found->newest = good ? std::optional(active) : std::nullopt;
  return found;
}

// What a slot says of the others is about what they have now.
Result<void> FileStore::find_all_of_its_tpm(size_t blob) {
  for (size_t other = permanent_of(blob); other < permanent_of(blob) + kBlobsOfATpm; ++other) {
    auto found =
        opened_->places.at(other).known ? Result<void>() : find(other).map([](const BlobScan&) {});
    if (!found) {
      return found;
    }
  }
  return {};
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
  if (auto fits = check_company(blob, newest.slot); !fits) {
    return failure(fits.error().code, what + " cannot be used: " + fits.error().message);
  }
  tell_of_damage(blob, *scan);
  if (newest.slot.removed) {
    return failure(Errc::not_found, "the " + in_words(name) + " was removed");
  }
  return data;
}

// Whether a blob goes with the permanent one, and that with it: neither may be older than what was
// there when the other was written. Damage does that, and who puts back a part of an older copy.
Result<void> FileStore::check_company(size_t blob, const Slot& slot) {
  size_t permanent = permanent_of(blob);
  if (is_permanent(blob) || slot.of_version_1) {
    return {};
  }
  auto found = find(permanent);
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (!found->newest) {
    return {};  // damage that is told when it is loaded itself
  }
  const SlotScan& newest = found->slots.at(*found->newest);
  if (auto authentic = open_slot(newest.bytes, newest.slot, opened_->seal); !authentic) {
    return tl::unexpected(authentic.error());
  }
  const Slot& there = newest.slot;
  if (slot.sequence < there.goes_with.at(blob - permanent - 1)) {
    return failure(Errc::corrupt,
                   "it is older than the permanent state allows: what was stored or "
                   "removed since is lost");
  }
  if (there.sequence < slot.goes_with[0] && !slot.removed) {
    return failure(Errc::corrupt, "the permanent state that it goes with is lost");
  }
  return {};
}

// What is not good has been written: an empty slot as well, but in a file of version 1.
void FileStore::tell_of_damage(size_t blob, const BlobScan& scan) const {
  const SlotScan& other = scan.slots.at(1 - *scan.newest);
  bool lost = other.condition != SlotCondition::good && opened_->header.version > 1 &&
              was_committed(opened_->header, blob);
  if (!options_.tell || (other.condition != SlotCondition::damaged && !lost)) {
    return;
  }
  const std::string what = other.condition == SlotCondition::damaged
                               ? "was not written to its end, or was damaged (" + other.reason + ")"
                               : "is gone, or could not be written yet";
  options_.tell("of the two copies of the " + in_words(blob_name(blob)) + " in " + file_.path() +
                " one " + what + "; going on from the other, number " +
                std::to_string(scan.slots.at(*scan.newest).slot.sequence));
}

// -- Store --

Result<void> FileStore::store(BlobName name, ByteView blob) {
  if (blob.size() > kLargestData) {
    return failure(Errc::invalid, "a blob of " + std::to_string(blob.size()) + " bytes; " +
                                      file_.path() + " takes " + std::to_string(kLargestData));
  }
  size_t number = blob_number(name);
  if (auto ready = make_room(number).and_then([&] { return settle(number); }); !ready) {
    return ready;
  }
  const Place before = opened_->places.at(number);
  auto stored = write_new(number, false, blob).and_then([&] { return mark_committed(number); });
  if (!stored && opened_) {
    auto& place = opened_->places.at(number);
    uint64_t used = place.sequence;
    place = before;
    place.sequence = used;
    place.filled = false;  // what was refused may be in the other slot
  }
  if (stored) {
    // The blob is stored without it; a disk that is full has no space for the copy.
    static_cast<void>(write_copy(number, false, blob));
  }
  return stored;
}

Result<void> FileStore::remove(BlobName name) {
  size_t number = blob_number(name);
  auto scan = find(number);
  if (!scan) {
    return scan.error().code == Errc::not_found ? Result<void>() : tl::unexpected(scan.error());
  }
  const Place& place = opened_->places.at(number);
  bool there = scan->newest ? place.present : may_be_found(*scan, number);
  if (!there && (!scan->newest || place.filled)) {
    return {};
  }
  return find_all_of_its_tpm(number)
      .and_then([&] { return settle(number); })
      .and_then([&] { return there ? write_new(number, true, {}) : Result<void>(); })
      .and_then([&] { return write_copy(number, true, {}); });
}

// Of a blob that has no slot that counts: whether something of it is missed, or what was refused
// may be taken for it later.
bool FileStore::may_be_found(const BlobScan& scan, size_t blob) const {
  auto is_left = [](const SlotScan& slot) {
    return slot.condition == SlotCondition::good || slot.condition == SlotCondition::damaged;
  };
  return was_committed(opened_->header, blob) || std::ranges::any_of(scan.slots, is_left);
}

// Such that the blob can be written: a file that was understood, or is begun.
Result<void> FileStore::make_room(size_t blob) {
  auto inside = look_inside();
  if (!inside) {
    Errc code = inside.error().code;
    bool unreadable = code == Errc::corrupt || code == Errc::denied;
    if (code == Errc::not_found) {
      inside = format();
    } else if (unreadable && is_permanent(blob)) {
      inside = begin_replacing(blob);
    }
  }
  return inside.and_then([&] { return find_all_of_its_tpm(blob); });
}

// Of a blank file: both copies of a header without blobs. Durable whatever the options say: a blob
// behind a header that was lost would be somebody else's file.
Result<void> FileStore::format() {
  auto begun = begin_anew(options_.key, {}, 0);
  if (!begun) {
    return tl::unexpected(begun.error());
  }
  auto sized = file_.close_to_others().and_then(
      [&] { return file_.is_block_device() ? Result<void>() : file_.resize(kStateFileSize); });
  if (!sized) {
    return sized;
  }
  opened_ = std::move(*begun);
  auto written = write_header(0).and_then([&] { return write_header(1); }).and_then([&] {
    return file_.make_durable();
  });
  opened_->sure = written.has_value();
  if (!written) {
    opened_.reset();
  }
  return written;
}

// Of a file that cannot be read: until the blob is durable and a header says so, the file is what
// it was. So that it is, whatever was found is made durable first.
Result<void> FileStore::begin_replacing(size_t blob) {
  auto found = scan_header(file_);
  if (!found) {
    return tl::unexpected(found.error());
  }
  auto old = scan(blob, found->header.epoch);
  if (!old) {
    return tl::unexpected(old.error());
  }
  auto kept = file_.write(found->copy * kHeaderCopy, found->bytes);
  if (kept && old->newest) {
    kept = file_.write(slot_offset(blob, *old->newest), old->slots.at(*old->newest).bytes);
  }
  kept = kept.and_then([&] { return file_.make_durable(); });
  if (!kept) {
    return kept;
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

// The bytes of a blob's next slot; `slot` says what kind of one. A number that was tried is not
// used again, nor is one that the other blobs say was there.
Result<Bytes> FileStore::next_slot(Opened& in, size_t blob, Slot slot, ByteView data) const {
  const size_t permanent = permanent_of(blob);
  Place& place = in.places.at(blob);
  auto raise = [](uint64_t& number, uint64_t to) { number = std::max(number, to); };
  for (size_t i = 0; i < slot.goes_with.size(); ++i) {
    const Place& dependent = in.places.at(permanent + 1 + i);
    if (is_permanent(blob)) {
      raise(place.goes_with.at(i), dependent.lowest);
      raise(place.sequence, dependent.goes_with[0]);
    } else if (permanent + 1 + i == blob) {
      Place& company = in.places.at(permanent);
      raise(company.sequence, place.goes_with[0]);
      // Lower than before where the newest permanent state was lost: it goes with the one that is
      // left, or nobody could load what is stored now.
      place.goes_with[0] =
          company.newest > 0 ? company.lowest : std::max(place.goes_with[0], company.lowest);
      raise(place.sequence, company.goes_with.at(i));
    }
  }
  if (place.sequence == std::numeric_limits<uint64_t>::max()) {
    return used_up(file_.path());
  }
  slot.epoch = in.header.epoch;
  slot.blob = static_cast<uint8_t>(blob);
  slot.sealed = !in.seal.empty();
  slot.writer = options_.writer;
  slot.sequence = ++place.sequence;
  slot.length = static_cast<uint32_t>(data.size());
  slot.goes_with = place.goes_with;
  return encode_slot(slot, data, in.seal);
}

// Into the idle slot. Until it is durable the other one stays what it is.
Result<void> FileStore::write_new(size_t blob, bool removed, ByteView data) {
  auto written = write_idle(blob, removed, false, data);
  auto& place = opened_->places.at(blob);
  if (written) {
    place.filled = is_permanent(blob) && !removed && place.newest > 0;
    place.newest = place.lowest = place.sequence;
    place.present = !removed;
    place.sure = true;
  } else if (opened_->replaces) {
    opened_.reset();
  }
  return written;
}

// Into the other slot as well: the first time, so that it has its space; and whenever what is there
// shall not come back. The one that was written is on the disk before, whatever the options say.
Result<void> FileStore::write_copy(size_t blob, bool removed, ByteView data) {
  auto& place = opened_->places.at(blob);
  if (place.filled) {
    return {};
  }
  auto first = options_.sync == Sync::none ? file_.make_durable() : Result<void>();
  auto written = first.and_then([&] { return write_idle(blob, removed, true, data); });
  if (written) {
    place.newest = place.sequence;
    place.filled = true;
  }
  return written;
}

Result<void> FileStore::write_idle(size_t blob, bool removed, bool again, ByteView data) {
  auto& place = opened_->places.at(blob);
  auto bytes = next_slot(*opened_, blob, {.removed = removed, .again = again}, data);
  auto used = bytes && removed ? used_of(blob, place.idle) : Result<size_t>(0);
  if (!bytes || !used) {
    return tl::unexpected(bytes ? used.error() : bytes.error());
  }
  bytes->resize(std::max(bytes->size(), *used));  // nothing is left of what was removed
  auto written =
      file_.write(slot_offset(blob, place.idle), *bytes).and_then([&] { return make_durable(); });
  if (written) {
    place.idle = 1 - place.idle;
  }
  return written;
}

// How far there is anything but zeroes.
Result<size_t> FileStore::used_of(size_t blob, size_t slot) const {
  return file_.read(slot_offset(blob, slot), kSlotSize).map([](Bytes bytes) {
    while (!bytes.empty() && bytes.back() == std::byte{}) {
      bytes.pop_back();
    }
    return bytes.size();
  });
}

// The first time: from now on the blob is not to be missed, whichever header is damaged. One header
// is on the disk while the other is written.
Result<void> FileStore::mark_committed(size_t blob) {
  if (was_committed(opened_->header, blob)) {
    return {};
  }
  const bool replaces = opened_->replaces;
  opened_->header.committed |= bit_of(blob);
  auto written = write_header(1 - opened_->copy).and_then([&] { return make_durable(); });
  if (written) {
    written = replaces ? finish_turn()
                       : write_header(1 - opened_->copy).and_then([&] { return make_durable(); });
  }
  if (!written && replaces) {
    opened_.reset();  // which header counts now is to be read again
  } else if (!written) {
    opened_->header.committed &= static_cast<uint16_t>(~bit_of(blob));
    opened_->sure = false;
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

// -- What is on the disk --

// Before a slot is overwritten: what it stands for is on the disk. What was found may be in the
// kernel's memory alone, because whoever wrote it was killed before its flush, or the flush failed:
// then the kernel takes it for written, and no flush that comes later says otherwise.
Result<void> FileStore::settle(size_t blob) {
  auto places = std::span(opened_->places).subspan(permanent_of(blob), kBlobsOfATpm);
  bool sure = std::ranges::all_of(places, [](const Place& it) { return it.sure || !it.newest; });
  if (opened_->replaces || (opened_->sure && sure)) {
    return {};
  }
  if (opened_->header.version < kStateFileVersion) {
    return change_key(copy_of(options_.key), Damaged::stay_damaged);
  }
  return settle_blobs(permanent_of(blob), kBlobsOfATpm);
}

// All that the next slot will speak of, and the header. What is written is what is there, or what a
// refused write had there: the one header or slot that may not be on the disk. Of the other one
// nothing is lost, however this ends.
Result<void> FileStore::settle_blobs(size_t first, size_t count) {
  for (size_t blob = first; blob < first + count; ++blob) {
    auto written = opened_->places.at(blob).sure ? Result<void>() : write_slot_again(blob);
    if (!written) {
      return written;
    }
  }
  auto settled = write_header_again().and_then([&] { return make_durable(); });
  if (!settled) {
    return settled;
  }
  for (size_t blob = first; blob < first + count; ++blob) {
    opened_->places.at(blob).sure = true;
  }
  return settle_headers();
}

Result<void> FileStore::write_slot_again(size_t blob) {
  auto found = find(blob);
  if (!found || !found->newest) {
    return found ? Result<void>() : tl::unexpected(found.error());
  }
  return file_.write(slot_offset(blob, *found->newest), found->slots.at(*found->newest).bytes);
}

Result<void> FileStore::write_header_again() {
  if (opened_->sure) {
    return {};
  }
  auto header = encode_header(opened_->header, opened_->seal);
  return header ? file_.write(opened_->copy * kHeaderCopy, *header)
                : tl::unexpected(header.error());
}

// The header that counts is on the disk: the other one comes to say the same. If that was damaged,
// or of the key before this one, a change of the key was perhaps interrupted behind its turning
// point.
Result<void> FileStore::settle_headers() {
  if (opened_->sure) {
    return {};
  }
  bool all_slots = !opened_->headers_agree;
  auto done = settle_size().and_then([&] { return write_header(1 - opened_->copy); });
  done = done.and_then([&] { return file_.make_durable(); });
  if (done && all_slots) {
    done = finish_slots().and_then([&] { return file_.make_durable(); });
    if (!done) {
      opened_.reset();  // where everything is, is to be read again
      return done;
    }
  }
  opened_->sure = done.has_value();
  opened_->headers_agree = opened_->headers_agree || done.has_value();
  return done;
}

// A size that was set by a call that failed later may not be there either.
Result<void> FileStore::settle_size() {
  auto size = file_.size();
  if (!size) {
    return tl::unexpected(size.error());
  }
  bool longer = file_.is_block_device() || *size > kStateFileSize;
  return longer ? Result<void>() : file_.resize(kStateFileSize);
}

}  // namespace vtpm
