#include "engine/resource_manager/own_commands.h"

#include <algorithm>

#include "engine/command/codec.h"
#include "engine/command/marshal.h"
#include "engine/resource_manager/capabilities.h"
#include "engine/resource_manager/codes.h"

namespace vtpm {
namespace {

constexpr uint32_t kPerQuestion = 254;  // more do not fit into one answer
constexpr int kMostQuestions = 16;

Bytes get_capability(uint32_t capability, uint32_t property, uint32_t count) {
  return tpm2_command(cc::get_capability,
                      BigEndianWriter().u32(capability).u32(property).u32(count).take());
}

Bytes of_handle(CommandCode code, TpmHandle handle) {
  return tpm2_command(code, BigEndianWriter().u32(static_cast<uint32_t>(handle)).take());
}

}  // namespace

Answer<Bytes> OwnCommands::send(const Bytes& command) {
  Bytes response = tpm_.transmit(Command(command), {.locality = Locality{}, .canceled = canceled_});
  if (ResponseCode code = response_code(response); code != rc::success) {
    return tl::unexpected(code);
  }
  // In place: what was executed must not be lost for want of memory.
  std::ranges::copy(std::span(response).subspan(kHeaderSize), response.begin());
  wipe(std::span(response).last(kHeaderSize));  // of a context, perhaps
  response.resize(response.size() - kHeaderSize);
  return response;
}

Answer<WipedBytes> OwnCommands::save(TpmHandle handle) {
  return send(of_handle(cc::context_save, handle)).and_then([](Bytes context) {
    constexpr size_t kLabel = 18;  // sequence, handle, hierarchy, and the blob's size
    return context.size() > kLabel ? Answer<WipedBytes>(WipedBytes(std::move(context)))
                                   : tl::unexpected(rc::failure);
  });
}

Answer<TpmHandle> OwnCommands::load(ByteView context) {
  WipedBytes command(tpm2_command(cc::context_load, context));
  return send(command.get()).and_then([](const Bytes& answer) {
    BigEndianReader reader(answer);
    TpmHandle handle{reader.u32()};
    return reader.ok() ? Answer<TpmHandle>(handle) : tl::unexpected(rc::failure);
  });
}

Answer<void> OwnCommands::flush(TpmHandle handle) {
  return send(of_handle(cc::flush_context, handle)).map([](const Bytes&) {});
}

Answer<StartupCounts> OwnCommands::startup_counts() {
  return send(tpm2_command(cc::read_clock)).and_then([](const Bytes& answer) {
    BigEndianReader reader(answer);
    reader.bytes(2 * sizeof(uint64_t));  // time and clock
    StartupCounts counts{.resets = reader.u32(), .restarts = reader.u32()};
    return reader.ok() ? Answer<StartupCounts>(counts) : tl::unexpected(rc::failure);
  });
}

Answer<uint32_t> OwnCommands::property(uint32_t property) {
  return send(get_capability(capability::kTpmProperties, property, 1))
      .map([property](const Bytes& answer) {
        BigEndianReader reader(answer);
        reader.bytes(1 + 2 * sizeof(uint32_t));  // more, capability, count
        bool is_it = reader.u32() == property;
        uint32_t value = reader.u32();
        return is_it && reader.ok() ? value : 0;
      });
}

Answer<std::vector<uint32_t>> OwnCommands::command_attributes() {
  constexpr uint32_t kCodeBits = 0x2000FFFF;
  return list(capability::kCommands, 0, kCodeBits);
}

Answer<std::vector<uint32_t>> OwnCommands::handles(uint32_t first) {
  return list(capability::kHandles, first, 0xFFFFFFFF);
}

Answer<std::vector<uint32_t>> OwnCommands::list(uint32_t capability, uint32_t first,
                                                uint32_t next_mask) {
  std::vector<uint32_t> all;
  for (int question = 0; question < kMostQuestions; ++question) {
    auto answer = send(get_capability(capability, first, kPerQuestion));
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    BigEndianReader reader(*answer);
    bool more = reader.u8() != 0;
    reader.u32();  // the capability
    uint32_t count = reader.u32();
    size_t before = all.size();
    for (uint32_t i = 0; i < count && reader.remaining() > 0; ++i) {
      all.push_back(reader.u32());
    }
    if (!reader.ok()) {
      return tl::unexpected(rc::failure);
    }
    if (!more || all.size() == before) {
      break;
    }
    first = (all.back() & next_mask) + 1;
  }
  return all;
}

}  // namespace vtpm
