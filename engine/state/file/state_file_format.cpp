#include "engine/state/file/state_file_format.h"

#include <algorithm>

namespace vtpm {
namespace {

constexpr std::string_view kMagic = "vtpmfile";
constexpr std::string_view kSlotMagic = "slot";

constexpr size_t kHeaderBeforeCheck = 68;  // what the authentication covers
constexpr size_t kHeaderBeforeSum = 100;   // what the checksum covers
constexpr size_t kSlotBeforeTag = 64;      // what the seal covers besides the data
constexpr size_t kSlotBeforeSum = 80;      // what the checksum covers besides the data
constexpr size_t kSaltInSlot = 32;

namespace flag {
constexpr uint8_t kSealed = 1;
constexpr uint8_t kRemoved = 2;
constexpr uint8_t kGoesWith = 4;  // from version 2 on always
constexpr uint8_t kAgain = 8;
}  // namespace flag

constexpr uint8_t kNotSealed = 0;
constexpr uint8_t kAes256Gcm = 1;

Bytes zeroes(size_t count) {
  return Bytes(count);
}

tl::unexpected<Error> damaged(const std::string& what) {
  return failure(Errc::corrupt, what);
}

uint8_t flags_of(const Slot& slot) {
  return static_cast<uint8_t>(flag::kGoesWith | (slot.sealed ? flag::kSealed : 0) |
                              (slot.removed ? flag::kRemoved : 0) |
                              (slot.again ? flag::kAgain : 0));
}

Bytes slot_start(const Slot& slot, ByteView salt) {
  return BigEndianWriter()
      .bytes(as_bytes(kSlotMagic))
      .u32(slot.epoch)
      .u8(slot.blob)
      .u8(flags_of(slot))
      .u16(0)
      .u32(slot.writer)
      .u64(slot.sequence)
      .u32(slot.length)
      .u32(0)
      .bytes(salt)
      .take();
}

Bytes slot_end(const Slot& slot) {
  return BigEndianWriter().u64(slot.goes_with[0]).u64(slot.goes_with[1]).take();
}

// The checksum of a slot: everything but itself.
Result<Bytes> slot_sum(ByteView before_sum, ByteView after_sum) {
  return sha256(BigEndianWriter().bytes(before_sum).bytes(after_sum).take());
}

// What the seal covers besides the data: both parts of the header that are not about the seal.
Bytes associated_with(ByteView start, ByteView end) {
  return BigEndianWriter().bytes(start).bytes(end).take();
}

bool is_possible(const SealParameters& seal, uint8_t cipher) {
  switch (seal.kind) {
    case KeyKind::none:
      return cipher == kNotSealed;
    case KeyKind::raw:
      return cipher == kAes256Gcm;
    case KeyKind::passphrase:
      return cipher == kAes256Gcm && is_affordable(seal.cost);
  }
  return false;
}

}  // namespace

size_t blob_number(BlobName name) {
  constexpr size_t kKinds = 3;
  return static_cast<size_t>(name.kind) + (name.version == TpmVersion::tpm20 ? 0 : kKinds);
}

BlobName blob_name(size_t number) {
  constexpr size_t kKinds = 3;
  return {number < kKinds ? TpmVersion::tpm20 : TpmVersion::tpm12,
          static_cast<BlobKind>(number % kKinds)};
}

std::string in_words(BlobName name) {
  std::string version = name.version == TpmVersion::tpm20 ? " of a TPM 2.0" : " of a TPM 1.2";
  switch (name.kind) {
    case BlobKind::permanent:
      return "permanent state" + version;
    case BlobKind::volatile_state:
      return "volatile state" + version;
    case BlobKind::savestate:
      return "saved state" + version;
  }
  return {};
}

bool has_state_file_magic(ByteView bytes) {
  return bytes.size() >= kMagic.size() &&
         std::ranges::equal(bytes.first(kMagic.size()), as_bytes(kMagic));
}

Result<Bytes> encode_header(const StateFileHeader& header, const Seal& seal) {
  Bytes start = BigEndianWriter()
                    .bytes(as_bytes(kMagic))
                    .u16(header.version)
                    .u16(header.oldest_reader)
                    .u32(kSlotSize)
                    .u64(header.revision)
                    .u32(header.epoch)
                    .u16(header.committed)
                    .u8(seal.empty() ? kNotSealed : kAes256Gcm)
                    .u8(static_cast<uint8_t>(header.seal.kind))
                    .u8(header.seal.cost.log2_n)
                    .u8(header.seal.cost.r)
                    .u16(header.seal.cost.p)
                    .bytes(header.seal.salt)
                    .take();
  auto check = seal.empty() ? Result<Bytes>(zeroes(kSha256Size)) : seal.authenticate(start);
  if (!check) {
    return check;
  }
  Bytes before_sum = BigEndianWriter().bytes(start).bytes(*check).take();
  auto sum = sha256(before_sum);
  if (!sum) {
    return sum;
  }
  return BigEndianWriter().bytes(before_sum).bytes(*sum).take();
}

Result<StateFileHeader> decode_header(ByteView bytes) {
  BigEndianReader reader(bytes);
  bool magic = has_state_file_magic(reader.bytes(kMagic.size()));
  StateFileHeader header;
  header.version = reader.u16();
  header.oldest_reader = reader.u16();
  uint32_t slot_size = reader.u32();
  header.revision = reader.u64();
  header.epoch = reader.u32();
  header.committed = reader.u16();
  uint8_t cipher = reader.u8();
  header.seal.kind = static_cast<KeyKind>(reader.u8());
  header.seal.cost = {.log2_n = reader.u8(), .r = reader.u8(), .p = reader.u16()};
  ByteView salt = reader.bytes(kSealSalt);
  header.seal.salt.assign(salt.begin(), salt.end());
  reader.bytes(kSha256Size);  // the authentication
  ByteView sum = reader.bytes(kSha256Size);
  if (!reader.ok() || !magic) {
    return damaged("there is no header");
  }
  auto expected = sha256(bytes.first(kHeaderBeforeSum));
  if (!expected) {
    return tl::unexpected(expected.error());
  }
  if (!std::ranges::equal(*expected, sum)) {
    return damaged("the header's checksum does not fit");
  }
  if (header.oldest_reader > kStateFileVersion) {
    return failure(Errc::unsupported,
                   "it is in format version " + std::to_string(header.oldest_reader) +
                       "; this build reads version " + std::to_string(kStateFileVersion) +
                       ". A newer vtpmd is needed");
  }
  if (slot_size != kSlotSize || !is_possible(header.seal, cipher)) {
    return failure(Errc::unsupported, "its header asks for what this build does not have");
  }
  return header;
}

Result<bool> is_authentic(ByteView bytes, const Seal& seal) {
  auto check = seal.authenticate(bytes.first(kHeaderBeforeCheck));
  if (!check) {
    return tl::unexpected(check.error());
  }
  return equal_in_constant_time(*check, bytes.subspan(kHeaderBeforeCheck, kSha256Size));
}

Result<Bytes> encode_slot(const Slot& slot, ByteView data, const Seal& seal) {
  auto salt = seal.empty() ? Result<Bytes>(zeroes(kSealSalt)) : random_bytes(kSealSalt);
  if (!salt) {
    return salt;
  }
  Bytes start = slot_start(slot, *salt);
  Bytes end = slot_end(slot);
  auto sealed = seal.empty() ? Result<Sealed>({Bytes(data.begin(), data.end()), zeroes(kGcmTag)})
                             : seal.close(*salt, associated_with(start, end), data);
  if (!sealed) {
    return tl::unexpected(sealed.error());
  }
  Bytes before_sum = BigEndianWriter().bytes(start).bytes(sealed->tag).take();
  Bytes after_sum = BigEndianWriter().bytes(end).bytes(sealed->ciphertext).take();
  auto sum = slot_sum(before_sum, after_sum);
  if (!sum) {
    return sum;
  }
  return BigEndianWriter().bytes(before_sum).bytes(*sum).bytes(after_sum).take();
}

Result<Slot> decode_slot_header(ByteView bytes) {
  BigEndianReader reader(bytes);
  bool magic = std::ranges::equal(reader.bytes(kSlotMagic.size()), as_bytes(kSlotMagic));
  Slot slot;
  slot.epoch = reader.u32();
  slot.blob = reader.u8();
  uint8_t flags = reader.u8();
  reader.u16();
  slot.sealed = (flags & flag::kSealed) != 0;
  slot.removed = (flags & flag::kRemoved) != 0;
  slot.again = (flags & flag::kAgain) != 0;
  slot.of_version_1 = (flags & flag::kGoesWith) == 0;
  slot.writer = reader.u32();
  slot.sequence = reader.u64();
  slot.length = reader.u32();
  if (!reader.ok() || !magic) {
    return damaged("it does not begin as a slot");
  }
  reader.bytes(sizeof(uint32_t) + kSealSalt + kGcmTag + kSha256Size);
  if (!slot.of_version_1) {
    slot.goes_with = {reader.u64(), reader.u64()};
  }
  if (!reader.ok()) {
    return damaged("it is cut off");
  }
  if (slot.length > kSlotSize - header_size(slot)) {
    return damaged("its length is impossible");
  }
  return slot;
}

Result<Slot> decode_slot(ByteView bytes) {
  auto slot = decode_slot_header(bytes);
  if (!slot) {
    return slot;
  }
  if (bytes.size() != header_size(*slot) + slot->length) {
    return damaged("it is cut off");
  }
  auto sum = slot_sum(bytes.first(kSlotBeforeSum), bytes.subspan(kSlotHeader1));
  if (!sum) {
    return tl::unexpected(sum.error());
  }
  if (!std::ranges::equal(*sum, bytes.subspan(kSlotBeforeSum, kSha256Size))) {
    return damaged("its checksum does not fit");
  }
  return slot;
}

Result<Bytes> open_slot(ByteView bytes, const Slot& slot, const Seal& seal) {
  ByteView data = bytes.subspan(header_size(slot));
  if (slot.sealed == seal.empty()) {
    return damaged(slot.sealed ? "it is sealed, and the file is not"
                               : "it is not sealed, and the file is");
  }
  if (!slot.sealed) {
    return Bytes(data.begin(), data.end());
  }
  ByteView end = bytes.subspan(kSlotHeader1, header_size(slot) - kSlotHeader1);
  return seal
      .open(bytes.subspan(kSaltInSlot, kSealSalt),
            associated_with(bytes.first(kSlotBeforeTag), end), data,
            bytes.subspan(kSlotBeforeTag, kGcmTag))
      .map_error([](Error error) {
        error.message = "it was altered: " + error.message;
        return error;
      });
}

}  // namespace vtpm
