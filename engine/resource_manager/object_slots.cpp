#include "engine/resource_manager/object_slots.h"

#include <algorithm>

#include "engine/resource_manager/codes.h"
#include "engine/resource_manager/context.h"
#include "engine/resource_manager/victims.h"

namespace vtpm {

void ObjectSlots::make_place() {
  loaded_.reserve(loaded_.size() + 1);
}

void ObjectSlots::note_loaded(Object& object, TpmHandle handle) {
  object.loaded = handle;
  loaded_.push_back(&object);
}

void ObjectSlots::note_unloaded(Object& object) {
  object.loaded.reset();
  std::erase(loaded_, &object);
}

void ObjectSlots::expect_change(Object& object) {
  if (ContextLabel(object.context.get()).is_sequence_object()) {
    object.context.wipe();
  }
}

Answer<void> ObjectSlots::load(Object& object) {
  make_place();
  auto handle = tpm_.load(object.context.get());
  if (!handle) {
    if (is_format_one(handle.error())) {
      object.context.wipe();
    }
    return tl::unexpected(handle.error());
  }
  note_loaded(object, *handle);
  return {};
}

Answer<void> ObjectSlots::evict(Object& object) {
  if (object.context.get().empty()) {
    auto context = tpm_.save(*object.loaded);
    if (!context) {
      if (context.error() == rc::reference_h0) {
        note_unloaded(object);
      }
      return tl::unexpected(context.error());
    }
    object.context = std::move(*context);
  }
  auto flushed = tpm_.flush(*object.loaded);
  if (flushed || is_format_one(flushed.error())) {  // it is out, or was not in
    note_unloaded(object);
    return {};
  }
  return flushed;
}

bool ObjectSlots::evict_one(const SpaceTables* asking, uint64_t now) {
  return std::ranges::any_of(victims(loaded_, asking, now), [&](Object* object) {
    size_t before = loaded_.size();
    return evict(*object) || loaded_.size() < before;
  });
}

}  // namespace vtpm
