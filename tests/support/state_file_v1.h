// State files as format version 1 wrote them, from the documented bytes: what an upgrade meets.
#pragma once

#include <algorithm>
#include <fstream>
#include <string>

#include "engine/state/file/state_file_format.h"

namespace vtpm {

inline constexpr uint32_t kEpochOfVersion1 = 0x01020304;

class StateFileOfVersion1 {
 public:
  explicit StateFileOfVersion1(const SealingKey& key) {
    header_.version = 1;
    header_.oldest_reader = 1;
    header_.revision = 4;
    header_.epoch = kEpochOfVersion1;
    header_.seal = new_seal_parameters(key.kind).value();
    seal_ = Seal::derive(key, header_.seal).value();
  }

  void put(BlobName name, size_t slot, uint64_t sequence, ByteView data) {
    size_t blob = blob_number(name);
    header_.committed |= static_cast<uint16_t>(1U << blob);
    Bytes salt = seal_.empty() ? Bytes(kSealSalt) : random_bytes(kSealSalt).value();
    Bytes start = BigEndianWriter()
                      .bytes(as_bytes("slot"))
                      .u32(kEpochOfVersion1)
                      .u8(static_cast<uint8_t>(blob))
                      .u8(seal_.empty() ? 0 : 1)
                      .u16(0)
                      .u32(0x000902)
                      .u64(sequence)
                      .u32(static_cast<uint32_t>(data.size()))
                      .u32(0)
                      .bytes(salt)
                      .take();
    Sealed sealed = seal_.empty() ? Sealed{Bytes(data.begin(), data.end()), Bytes(kGcmTag)}
                                  : seal_.close(salt, start, data).value();
    Bytes before = BigEndianWriter().bytes(start).bytes(sealed.tag).take();
    Bytes sum = sha256(BigEndianWriter().bytes(before).bytes(sealed.ciphertext).take()).value();
    write(slot_offset(blob, slot),
          BigEndianWriter().bytes(before).bytes(sum).bytes(sealed.ciphertext).take());
  }

  void write_to(const std::string& path) {
    for (size_t copy = 0; copy < kHeaderCopies; ++copy) {
      ++header_.revision;
      write(copy * kHeaderCopy, encode_header(header_, seal_).value());
    }
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(file_.data()),  // NOLINT
               static_cast<std::streamsize>(file_.size()));
  }

 private:
  void write(size_t offset, ByteView bytes) {
    std::ranges::copy(bytes, file_.begin() + static_cast<ptrdiff_t>(offset));
  }

  StateFileHeader header_;
  Seal seal_;
  Bytes file_ = Bytes(kStateFileSize);
};

}  // namespace vtpm
