#include "engine/tpm/storage_custody.h"

#include <utility>

namespace vtpm {

Result<void> StorageCustody::take() {
  if (held_) {
    return {};
  }
  auto locked = store_.lock();
  held_ = locked.has_value();
  return locked;
}

Result<void> StorageCustody::release() {
  if (!held_) {
    return {};
  }
  if (auto rest = store_unstored(); !rest) {
    return rest;
  }
  auto stored = store_.load({engine_.version(), BlobKind::permanent});
  released_state_ = stored ? std::move(*stored) : Bytes();
  held_ = false;
  store_.unlock();
  return {};
}

Result<void> StorageCustody::check_unchanged() {
  auto released = std::exchange(released_state_, std::nullopt);
  auto stored = store_.load({engine_.version(), BlobKind::permanent});
  bool readable = stored || stored.error().code == Errc::not_found;
  if (!released || (readable && *released == (stored ? *stored : Bytes()))) {
    return {};
  }
  return failure(Errc::corrupt, readable
                                    ? "the stored state was changed by somebody else while its "
                                      "lock was released"
                                    : stored.error().message);
}

void StorageCustody::let_go() {
  drop_unstored();
  held_ = false;
  store_.unlock();
}

Result<void> StorageCustody::store_unstored() {
  auto stored = engine_.store_unstored();
  note_unstored();
  return stored;
}

void StorageCustody::drop_unstored() {
  engine_.drop_unstored();
  note_unstored();
}

Result<void> StorageCustody::store_volatile() {
  if (auto rest = store_unstored(); !rest) {
    return rest;
  }
  auto blob = engine_.get_state(BlobKind::volatile_state);
  if (!blob) {
    return tl::unexpected(blob.error());
  }
  return store_.store({engine_.version(), BlobKind::volatile_state}, *blob);
}

void StorageCustody::end() {
  if (held_) {
    static_cast<void>(engine_.store_unstored());
  }
  note_unstored();
  if (const Error* reason = engine_.unstored(); reason != nullptr) {
    listener_.on_unstored(Unstored::lost, reason->message);
  }
}

void StorageCustody::note_unstored() {
  const Error* reason = engine_.unstored();
  bool before = has_unstored_.exchange(reason != nullptr);
  if (before == (reason != nullptr)) {
    return;
  }
  listener_.on_unstored(reason != nullptr ? Unstored::kept : Unstored::stored,
                        reason != nullptr ? reason->message : std::string());
}

}  // namespace vtpm
