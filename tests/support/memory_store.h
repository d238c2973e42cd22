// A StateStore in memory that can be told to fail, for tests. It keeps account of its lock: who
// writes without having it is counted.
#pragma once

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "engine/state/state_store.h"

namespace vtpm {

class MemoryStore : public StateStore {
 public:
  Result<Bytes> load(BlobName name) override {
    ++loads;
    if (fail_loads) {
      return failure(load_failure, "load told to fail", load_result);
    }
    auto* found = find(name);
    return found == nullptr ? Result<Bytes>(failure(Errc::not_found, "no such blob")) : *found;
  }

  Result<void> store(BlobName name, ByteView blob) override {
    ++stores;
    unlocked_writes += locked ? 0 : 1;
    if (fail_stores) {
      return failure(Errc::io, "store told to fail");
    }
    put(name, blob);
    return {};
  }

  Result<void> remove(BlobName name) override {
    unlocked_writes += locked ? 0 : 1;
    std::erase_if(blobs, [&](const auto& blob) { return blob.first == name; });
    return {};
  }

  Result<void> lock() override {
    ++lock_attempts;
    if (away) {
      return failure(Errc::not_found, "the storage is away");
    }
    if (held_by_another) {
      return failure(Errc::busy, "another process has the lock");
    }
    locked = true;
    return {};
  }
  void unlock() override { locked = false; }
  [[nodiscard]] std::string describe() const override { return "memory"; }

  // -- for tests --

  Bytes* find(BlobName name) {
    auto found = std::ranges::find(blobs, name, &std::pair<BlobName, Bytes>::first);
    return found == blobs.end() ? nullptr : &found->second;
  }

  // What is there when a test begins, or what another process has written.
  void put(BlobName name, ByteView blob) {
    Bytes copy(blob.begin(), blob.end());
    if (auto* found = find(name)) {
      *found = std::move(copy);
    } else {
      blobs.emplace_back(name, std::move(copy));
    }
  }

  std::vector<std::pair<BlobName, Bytes>> blobs;
  bool fail_loads = false;
  Errc load_failure = Errc::io;
  uint32_t load_result = 0;
  bool fail_stores = false;
  bool away = false;                          // lock() finds nothing
  std::atomic<bool> held_by_another = false;  // lock() is refused; any thread
  bool locked = false;
  int loads = 0;
  int stores = 0;
  int lock_attempts = 0;
  int unlocked_writes = 0;
};

}  // namespace vtpm
