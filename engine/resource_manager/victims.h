// Who has to leave a slot.
#pragma once

#include <algorithm>
#include <vector>

#include "engine/resource_manager/space_tables.h"

namespace vtpm {

// Those that may go, the first to go first: other spaces' before one's own, the least recently used
// before others, none that a command names which runs now.
template <class T>
std::vector<T*> victims(const std::vector<T*>& loaded, const SpaceTables* asking, uint64_t now) {
  std::vector<T*> all;
  std::ranges::copy_if(loaded, std::back_inserter(all), [&](T* one) { return one->used != now; });
  std::ranges::sort(all, {}, [&](T* one) { return std::pair(one->owner == asking, one->used); });
  return all;
}

}  // namespace vtpm
