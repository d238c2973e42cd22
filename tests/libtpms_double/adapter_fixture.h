// The adapter on a libtpms made of the test's own functions.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <new>

#include "engine/tpm/libtpms_engine.h"
#include "tests/libtpms_double/libtpms_double.h"
#include "tests/support/memory_store.h"

namespace vtpm {

// A store that can also throw, or find its blobs damaged.
class UnrulyStore final : public MemoryStore {
 public:
  Result<Bytes> load(BlobName name) override {
    misbehave();
    return damaged ? failure(Errc::corrupt, "damaged on disk") : MemoryStore::load(name);
  }
  Result<void> store(BlobName name, ByteView blob) override {
    misbehave();
    return MemoryStore::store(name, blob);
  }
  Result<void> remove(BlobName name) override {
    misbehave();
    return MemoryStore::remove(name);
  }

  bool throws = false;
  bool damaged = false;

 private:
  void misbehave() const {
    if (throws) {
      throw std::bad_alloc();
    }
  }
};

class LibtpmsAdapter : public testing::Test {
 protected:
  void SetUp() override { libtpms() = {}; }

  std::unique_ptr<LibtpmsEngine> make(LibtpmsOptions options = {}) {
    return LibtpmsEngine::create(std::move(options), store_).value();
  }

  std::unique_ptr<LibtpmsEngine> make_on(LibtpmsOptions options = {}) {
    auto engine = make(std::move(options));
    EXPECT_TRUE(engine->power_on(StoredVolatile::keep).has_value());
    return engine;
  }

  UnrulyStore store_;
};

}  // namespace vtpm
