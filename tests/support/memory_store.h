// A StateStore in memory that can be told to fail, for tests.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/state_store.h"

namespace vtpm {

class MemoryStore : public StateStore {
 public:
  Result<Bytes> load(BlobName name) override {
    ++loads;
    if (fail_loads) {
      return failure(Errc::io, "load told to fail");
    }
    auto* found = find(name);
    return found == nullptr ? Result<Bytes>(failure(Errc::not_found, "no such blob")) : *found;
  }

  Result<void> store(BlobName name, ByteView blob) override {
    ++stores;
    if (fail_stores) {
      return failure(Errc::io, "store told to fail");
    }
    Bytes copy(blob.begin(), blob.end());
    if (auto* found = find(name)) {
      *found = std::move(copy);
    } else {
      blobs.emplace_back(name, std::move(copy));
    }
    return {};
  }

  Result<void> remove(BlobName name) override {
    std::erase_if(blobs, [&](const auto& blob) { return blob.first == name; });
    return {};
  }

  Result<void> lock() override { return {}; }
  void unlock() override {}
  [[nodiscard]] std::string describe() const override { return "memory"; }

  Bytes* find(BlobName name) {
    auto found = std::ranges::find(blobs, name, &std::pair<BlobName, Bytes>::first);
    return found == blobs.end() ? nullptr : &found->second;
  }

  std::vector<std::pair<BlobName, Bytes>> blobs;
  bool fail_loads = false;
  bool fail_stores = false;
  int loads = 0;
  int stores = 0;
};

}  // namespace vtpm
