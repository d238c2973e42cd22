#include "engine/unstored_changes.h"

#include <cstring>
#include <exception>

namespace vtpm {

WipedBytes::~WipedBytes() {
  if (!bytes_.empty()) {
    explicit_bzero(bytes_.data(), bytes_.size());
  }
}

const UnstoredChanges::Wanted* UnstoredChanges::find(BlobName name) const {
  auto found = changes_.find(name);
  return found == changes_.end() ? nullptr : &found->second;
}

UnstoredChanges::Step UnstoredChanges::step_of(const Changes::value_type& change) {
  if (!change.second) {
    return Step::removals;
  }
  return change.first.kind == BlobKind::permanent ? Step::permanent : Step::other_stores;
}

Result<void> UnstoredChanges::carry_out(Step step) {
  for (auto change = changes_.begin(); change != changes_.end();) {
    if (step_of(*change) != step) {
      ++change;
      continue;
    }
    const auto& [name, wanted] = *change;
    if (auto done = wanted ? store_.store(name, wanted->get()) : store_.remove(name); !done) {
      return done;
    }
    change = changes_.erase(change);
  }
  return {};
}

Result<void> UnstoredChanges::commit() {
  Result<void> done;
  try {
    for (Step step : {Step::other_stores, Step::permanent, Step::removals}) {
      done = done ? carry_out(step) : done;
    }
  } catch (const std::exception& exception) {  // want of memory most likely
    done = failure(Errc::io, exception.what());
  }
  if (!done) {
    reason_ = done.error();
  }
  return done;
}

}  // namespace vtpm
