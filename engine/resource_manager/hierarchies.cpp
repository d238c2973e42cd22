#include "engine/resource_manager/hierarchies.h"

#include "engine/resource_manager/capabilities.h"

namespace vtpm {
namespace {

constexpr uint32_t kOwner = 0x40000001;
constexpr uint32_t kEndorsement = 0x4000000B;
constexpr uint32_t kPlatform = 0x4000000C;

std::vector<uint32_t> disabled_by(ByteView parameters) {
  BigEndianReader reader(parameters);
  uint32_t hierarchy = reader.u32();
  bool enables = reader.u8() != 0;
  return enables ? std::vector<uint32_t>() : std::vector{hierarchy};
}

}  // namespace

std::vector<uint32_t> hierarchies_ended_by(const Command& command, const CommandLayout& layout) {
  switch (command.code()) {
    case cc::clear:
      return {kOwner, kEndorsement};
    case cc::change_eps:
      return {kEndorsement};
    case cc::change_pps:
      return {kPlatform};
    case cc::hierarchy_control:
      return disabled_by(layout.parameters());
    default:
      return {};
  }
}

}  // namespace vtpm
