#include "engine/resource_manager/command_layout.h"

#include "engine/resource_manager/codes.h"

namespace vtpm {
namespace {

constexpr uint16_t kNoSessions = 0x8001;
constexpr uint16_t kSessions = 0x8002;

}  // namespace

bool has_sessions(const Command& command) {
  return command.tag() == kSessions;
}

bool has_tpm2_tag(const Command& command) {
  return command.tag() == kSessions || command.tag() == kNoSessions;
}

Answer<CommandLayout> CommandLayout::read(const Command& command,
                                          const CommandAttributes& attributes) {
  if (!command.has_header() || command.declared_size() != command.bytes().size()) {
    return tl::unexpected(rc::command_size);
  }
  CommandLayout layout;
  layout.attributes_ = attributes;
  BigEndianReader reader(command.bytes().subspan(kHeaderSize));
  for (size_t i = 0; i < attributes.handles; ++i) {
    layout.handles_.at(i) = reader.u32();
    if (!reader.ok()) {
      constexpr size_t kOfHandle = 0x100;
      return tl::unexpected(plus(rc::insufficient, kOfHandle * (i + 1)));
    }
  }
  if (has_sessions(command)) {
    ByteView area = reader.bytes(reader.u32());
    if (ResponseCode code = layout.read_sessions(area); !reader.ok() || code != rc::success) {
      return tl::unexpected(reader.ok() ? code : rc::auth_size);
    }
  }
  layout.parameters_ = reader.bytes(reader.remaining());
  return layout;
}

ResponseCode CommandLayout::read_sessions(ByteView area) {
  BigEndianReader reader(area);
  do {
    if (session_count_ == sessions_.size()) {
      return rc::auth_size;
    }
    SessionUse& use = sessions_.at(session_count_++);
    use.handle = TpmHandle{reader.u32()};
    reader.bytes(reader.u16());  // nonce
    use.continues = (reader.u8() & 1U) != 0;
    reader.bytes(reader.u16());  // HMAC or password
    if (!reader.ok()) {
      return rc::auth_size;
    }
  } while (reader.remaining() > 0);
  return rc::success;
}

}  // namespace vtpm
