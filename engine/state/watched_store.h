// A store that tells how its storage does: of every blob it was given to keep, whether it took it.
//
// Ownership: borrows the store. Threads: as StateStore; the watcher is called on the thread that
// stores, under the TPM's lock, so it may not ask the TPM anything.
// Errors: those of the store, unchanged.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "engine/state/state_store.h"

namespace vtpm {

class WatchedStore final : public StateStore {
 public:
  using Watcher = std::function<void(const Result<void>& outcome)>;

  WatchedStore(StateStore& store, Watcher watcher) : store_(store), watcher_(std::move(watcher)) {}

  Result<Bytes> load(BlobName name) override { return store_.load(name); }
  Result<void> store(BlobName name, ByteView blob) override {
    auto stored = store_.store(name, blob);
    watcher_(stored);
    return stored;
  }
  // One that succeeds tells nothing: most remove what is not there, and touch no storage.
  Result<void> remove(BlobName name) override {
    auto removed = store_.remove(name);
    if (!removed) {
      watcher_(removed);
    }
    return removed;
  }
  Result<void> lock() override { return store_.lock(); }
  void unlock() override { store_.unlock(); }
  [[nodiscard]] std::string describe() const override { return store_.describe(); }

 private:
  StateStore& store_;
  const Watcher watcher_;
};

}  // namespace vtpm
