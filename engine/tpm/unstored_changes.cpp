#include "engine/tpm/unstored_changes.h"

#include <exception>
#include <utility>

namespace vtpm {

const UnstoredChanges::Wanted* UnstoredChanges::find(BlobName name) const {
  for (const Changes* changes : {&added_, &kept_}) {
    if (auto found = changes->find(name); found != changes->end()) {
      return &found->second;
    }
  }
  return nullptr;
}

// Nodes change hands, no blob is copied.
void UnstoredChanges::keep() {
  if (added_.empty()) {
    return;
  }
  added_.merge(kept_);
  kept_ = std::exchange(added_, {});
}

void UnstoredChanges::forget(BlobName name) {
  kept_.erase(name);
  added_.erase(name);
}

void UnstoredChanges::replace(Changes changes) {
  kept_ = std::move(changes);
  added_.clear();
}

UnstoredChanges::Step UnstoredChanges::step_of(const Changes::value_type& change) {
  if (!change.second) {
    return Step::removals;
  }
  return change.first.kind == BlobKind::permanent ? Step::permanent : Step::other_stores;
}

Result<void> UnstoredChanges::carry_out(Step step) {
  for (auto change = kept_.begin(); change != kept_.end();) {
    if (step_of(*change) != step) {
      ++change;
      continue;
    }
    const auto& [name, wanted] = *change;
    if (auto done = wanted ? store_.store(name, wanted->get()) : store_.remove(name); !done) {
      return done;
    }
    change = kept_.erase(change);
  }
  return {};
}

Result<void> UnstoredChanges::commit() {
  keep();
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
