#include "engine/state/swtpm/linear_file.h"

#include <array>
#include <bit>
#include <string>

namespace vtpm {
namespace {

constexpr uint64_t kMagic = 0x737774706d6c696e;  // "swtpmlin"
constexpr uint8_t kVersion = 1;
constexpr uint16_t kHeaderSize = 192;
constexpr size_t kEntries = 15;

// Widths of integers in the file, in bytes.
constexpr size_t kU16 = 2;
constexpr size_t kU32 = 4;
constexpr size_t kU64 = 8;

struct Entry {
  uint64_t offset = 0;  // 0: there is no such blob
  uint64_t data_length = 0;
  uint64_t section_length = 0;

  [[nodiscard]] uint64_t end() const { return offset + section_length; }
};
using Entries = std::array<Entry, kEntries>;

tl::unexpected<Error> damaged(const std::string& what) {
  return failure(Errc::corrupt, "damaged linear file: " + what);
}

uint64_t little_endian(BigEndianReader& reader, size_t width) {
  ByteView bytes = reader.bytes(width);
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
  }
  return value;
}

void append(Bytes& to, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) {
    to.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
}

// Entries are numbered as swtpm numbers them, whatever BlobKind does.
size_t entry_of(BlobKind kind) {
  switch (kind) {
    case BlobKind::permanent:
      return 0;
    case BlobKind::volatile_state:
      return 1;
    case BlobKind::savestate:
      break;
  }
  return 2;
}

Result<void> check_entry(const Entries& entries, size_t number, size_t file_size) {
  const Entry& entry = entries.at(number);
  std::string section = "section " + std::to_string(number);
  if (entry.offset == 0) {
    return {};
  }
  if (entry.offset < kHeaderSize) {
    return damaged(section + " begins within the header");
  }
  if (entry.data_length > entry.section_length) {
    return damaged(section + " has " + std::to_string(entry.section_length) + " bytes, and " +
                   std::to_string(entry.data_length) + " of data");
  }
  if (entry.end() > file_size) {
    return damaged(section + " ends at " + std::to_string(entry.end()) + ", the file at " +
                   std::to_string(file_size));
  }
  for (size_t other = 0; other < number; ++other) {
    const Entry& before = entries.at(other);
    if (before.offset != 0 && before.offset < entry.end() && entry.offset < before.end()) {
      return damaged(section + " overlaps section " + std::to_string(other));
    }
  }
  return {};
}

// Lengths are of 32 bits and added in 64: no sum is too large.
Result<Entries> read_entries(BigEndianReader& reader, size_t file_size) {
  Entries entries;
  for (Entry& entry : entries) {
    entry.offset = little_endian(reader, kU32);
    entry.data_length = little_endian(reader, kU32);
    entry.section_length = little_endian(reader, kU32);
  }
  if (!reader.ok()) {
    return damaged("only " + std::to_string(file_size) + " bytes");
  }
  for (size_t number = 0; number < kEntries; ++number) {
    if (auto fits = check_entry(entries, number, file_size); !fits) {
      return tl::unexpected(fits.error());
    }
  }
  return entries;
}

}  // namespace

Result<ByteView> read_linear_file(ByteView file, BlobKind kind) {
  BigEndianReader reader(file);
  if (little_endian(reader, kU64) != kMagic) {
    return failure(Errc::corrupt, "this is not one of swtpm's linear files");
  }
  auto version = little_endian(reader, 1);
  reader.u8();  // padding
  auto header_size = little_endian(reader, kU16);
  if (reader.ok() && version != kVersion) {
    return failure(Errc::unsupported, "a linear file in format version " + std::to_string(version) +
                                          "; this build reads version 1");
  }
  if (reader.ok() && header_size != kHeaderSize) {
    return damaged("a header of " + std::to_string(header_size) + " bytes");
  }
  auto entries = read_entries(reader, file.size());
  if (!entries) {
    return tl::unexpected(entries.error());
  }
  const Entry& entry = entries->at(entry_of(kind));
  if (entry.offset == 0) {
    return failure(Errc::not_found, "the linear file has no such state");
  }
  return file.subspan(entry.offset, entry.data_length);
}

Bytes build_linear_file(const std::vector<LinearSection>& sections) {
  Entries entries;
  uint64_t end = kHeaderSize;
  for (const LinearSection& section : sections) {
    entries.at(entry_of(section.kind)) = {end, section.blob.size(),
                                          std::bit_ceil(section.blob.size())};
    end = entries.at(entry_of(section.kind)).end();
  }
  Bytes file;
  append(file, kMagic, kU64);
  append(file, kVersion, 1);
  append(file, 0, 1);  // padding
  append(file, kHeaderSize, kU16);
  for (const Entry& entry : entries) {
    append(file, entry.offset, kU32);
    append(file, entry.data_length, kU32);
    append(file, entry.section_length, kU32);
  }
  for (const LinearSection& section : sections) {
    file.insert(file.end(), section.blob.begin(), section.blob.end());
    file.resize(file.size() + std::bit_ceil(section.blob.size()) - section.blob.size());
  }
  return file;
}

}  // namespace vtpm
