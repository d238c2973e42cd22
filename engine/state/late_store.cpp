#include "engine/state/late_store.h"

namespace vtpm {

Result<void> LateStore::lock() {
  if (store_) {
    return store_->lock();
  }
  auto opened = open_();
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  auto locked = (*opened)->lock();
  if (locked) {
    store_ = std::move(*opened);
  }
  return locked;
}

}  // namespace vtpm
