#include "engine/swtpm_blob.h"

#include <string>

namespace vtpm {
namespace {

constexpr uint8_t kVersion = 2;
constexpr uint8_t kMinVersion = 1;
constexpr uint16_t kHeaderLength = 10;
constexpr uint16_t kEncryptedFlags = 0x01 | 0x02;
constexpr uint16_t kTagData = 1;

tl::unexpected<Error> damaged(const std::string& what) {
  return failure(Errc::corrupt, "damaged state: " + what);
}

// The data of the first element with that tag; unknown tags are skipped, as swtpm does.
Result<ByteView> find_element(ByteView list, uint16_t wanted) {
  BigEndianReader reader(list);
  while (reader.remaining() > 0) {
    uint16_t tag = reader.u16();
    uint32_t length = reader.u32();
    ByteView data = reader.bytes(length);
    if (!reader.ok()) {
      return damaged("an element reaches past the end");
    }
    if (tag == wanted) {
      return data;
    }
  }
  return damaged("there is no data element");
}

}  // namespace

Bytes wrap_swtpm_blob(ByteView data) {
  constexpr size_t kElementHeader = 6;
  return BigEndianWriter()
      .u8(kVersion)
      .u8(kMinVersion)
      .u16(kHeaderLength)
      .u16(0)
      .u32(static_cast<uint32_t>(kHeaderLength + kElementHeader + data.size()))
      .u16(kTagData)
      .u32(static_cast<uint32_t>(data.size()))
      .bytes(data)
      .take();
}

Result<ByteView> unwrap_swtpm_blob(ByteView blob) {
  BigEndianReader reader(blob);
  uint8_t version = reader.u8();
  uint8_t min_version = reader.u8();
  uint16_t header_length = reader.u16();
  uint16_t flags = reader.u16();
  uint32_t total = reader.u32();
  if (!reader.ok()) {
    return damaged("only " + std::to_string(blob.size()) + " bytes");
  }
  if (version == 0 || min_version > kVersion) {
    return failure(Errc::unsupported, "state in format version " + std::to_string(min_version) +
                                          "; this build reads versions 1 and 2");
  }
  if (header_length != kHeaderLength || total != blob.size()) {
    return damaged("the header speaks of " + std::to_string(total) + " bytes, there are " +
                   std::to_string(blob.size()));
  }
  if ((flags & kEncryptedFlags) != 0) {
    return failure(Errc::unsupported, "the state is encrypted, and no key was given");
  }
  ByteView content = blob.subspan(kHeaderLength);
  return version == 1 ? content : find_element(content, kTagData);
}

}  // namespace vtpm
