#include "engine/resource_manager/capability_filter.h"

#include <algorithm>

#include "engine/command/marshal.h"
#include "engine/resource_manager/capabilities.h"
#include "engine/resource_manager/codes.h"

namespace vtpm {
namespace {

constexpr uint8_t kTransient = 0x80;
constexpr uint8_t kLoadedSessions = 0x02;
constexpr uint8_t kSavedSessions = 0x03;
constexpr uint32_t kMostHandles = 254;  // TPMU_CAPABILITIES is of 1024 bytes
constexpr uint32_t kHandleBits = 0x00FFFFFF;

constexpr auto kOurProperties = {
    property::kTransientMin,  property::kLoadedMin,       property::kActiveSessionsMax,
    property::kContextGapMax, property::kLoaded,          property::kLoadedAvailable,
    property::kActive,        property::kActiveAvailable, property::kTransientAvailable,
};

// The TPM does not know what kind a saved session is, and says HMAC of all.
uint32_t saved_handle(TpmHandle session) {
  return uint32_t{kLoadedSessions} << 24U | session_index(session);
}

}  // namespace

CapabilityFilter::Question CapabilityFilter::question(const CommandLayout& layout) {
  BigEndianReader reader(layout.parameters());
  return {.capability = reader.u32(), .property = reader.u32(), .count = reader.u32()};
}

bool CapabilityFilter::concerns(const Command& command, const CommandLayout& layout) const {
  if (command.code() != cc::get_capability) {
    return false;
  }
  Question asked = question(layout);
  if (asked.capability == capability::kTpmProperties) {
    return std::ranges::any_of(kOurProperties, [&](uint32_t one) {
      return one >= asked.property && one - asked.property < asked.count;
    });
  }
  uint8_t type = handle_type(asked.property);
  return asked.capability == capability::kHandles &&
         (type == kTransient || type == kLoadedSessions || type == kSavedSessions);
}

void CapabilityFilter::apply(const CommandLayout& layout, Bytes& response) const {
  Question asked = question(layout);
  if (asked.capability == capability::kHandles) {
    response = handle_answer(asked);
  } else {
    alter_properties(response);
  }
}

std::vector<uint32_t> CapabilityFilter::handles(uint32_t type) const {
  std::vector<uint32_t> all;
  if (type == kTransient) {
    for (const auto& object : space_.objects) {
      all.push_back(static_cast<uint32_t>(object->name));
    }
  } else if (type == kLoadedSessions) {
    for (const auto& session : space_.sessions) {
      all.push_back(static_cast<uint32_t>(session->handle));
    }
  } else {
    for (TpmHandle session : parked_.kept_by(space_)) {
      all.push_back(saved_handle(session));
    }
  }
  return all;
}

Bytes CapabilityFilter::handle_answer(const Question& question) const {
  std::vector<uint32_t> all = handles(handle_type(question.property));
  std::erase_if(
      all, [&](uint32_t one) { return (one & kHandleBits) < (question.property & kHandleBits); });
  size_t count = std::min<size_t>({all.size(), question.count, kMostHandles});
  BigEndianWriter writer;
  writer.u8(all.size() > count ? 1 : 0).u32(question.capability).u32(static_cast<uint32_t>(count));
  for (size_t i = 0; i < count; ++i) {
    writer.u32(all[i]);
  }
  return tpm2_response(rc::success, writer.take());
}

std::optional<uint32_t> CapabilityFilter::property(uint32_t which) const {
  auto number = [](size_t value) { return static_cast<uint32_t>(value); };
  const ResourceManagerOptions& options = limits_.options();
  switch (which) {
    case property::kTransientMin:
      return number(options.objects_per_space);
    case property::kLoadedMin:
    case property::kActiveSessionsMax:
      return number(options.sessions_per_space);
    case property::kContextGapMax:
      return 0xFFFFFFFF;
    case property::kLoaded:
      return number(space_.sessions.size());
    case property::kActive:
      return number(space_.sessions.size() + parked_.kept_by(space_).size());
    case property::kLoadedAvailable:
    case property::kActiveAvailable:
      return number(limits_.sessions_left(space_, parked_.size()));
    case property::kTransientAvailable:
      return number(limits_.objects_left(space_));
    default:
      return {};
  }
}

void CapabilityFilter::alter_properties(Bytes& response) const {
  constexpr size_t kFirst = kHeaderSize + 1 + 4 + 4;  // more, capability, count
  constexpr size_t kPair = 8;
  for (size_t at = kFirst; at + kPair <= response.size(); at += kPair) {
    if (auto value = property(BigEndianReader(ByteView(response).subspan(at)).u32())) {
      Bytes bytes = BigEndianWriter().u32(*value).take();
      std::ranges::copy(bytes, response.begin() + static_cast<std::ptrdiff_t>(at) + 4);
    }
  }
}

}  // namespace vtpm
