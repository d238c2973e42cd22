#include "engine/resource_manager/command_table.h"

#include <algorithm>

namespace vtpm {

CommandTable::CommandTable(std::span<const uint32_t> attributes) {
  constexpr uint32_t kCodeAndVendor = 0x2000FFFF;
  for (uint32_t one : attributes) {
    rows_.push_back({CommandCode{one & kCodeAndVendor},
                     {.handles = static_cast<uint8_t>(one >> 25U & 7U),
                      .returns_handle = (one >> 28U & 1U) != 0,
                      .flushes = (one >> 24U & 1U) != 0}});
  }
  std::ranges::sort(rows_, {}, &Row::code);
}

std::optional<CommandAttributes> CommandTable::find(CommandCode code) const {
  auto row = std::ranges::lower_bound(rows_, code, {}, &Row::code);
  return row != rows_.end() && row->code == code ? std::optional(row->attributes) : std::nullopt;
}

}  // namespace vtpm
