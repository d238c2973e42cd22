// A StateStore that hands on to another one until it is told to fail, for tests of what is above a
// store of which the linker wraps nothing (file_faults.h).
//
// Ownership: borrows the store. Threads: as the store.
#pragma once

#include "engine/state/state_store.h"

namespace vtpm {

class FailingStore final : public StateStore {
 public:
  explicit FailingStore(StateStore& store) : store_(store) {}

  Result<Bytes> load(BlobName name) override { return store_.load(name); }
  Result<void> store(BlobName name, ByteView blob) override {
    ++stores;
    return stores == failing_store ? failed() : store_.store(name, blob);
  }
  Result<void> remove(BlobName name) override { return store_.remove(name); }
  Result<void> lock() override { return store_.lock(); }
  void unlock() override { store_.unlock(); }
  [[nodiscard]] std::string describe() const override { return store_.describe(); }

  int stores = 0;         // so far
  int failing_store = 0;  // the one with that number, from 1

 private:
  static Result<void> failed() { return failure(Errc::io, "store told to fail"); }

  StateStore& store_;
};

}  // namespace vtpm
