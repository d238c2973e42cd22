// An engine of any kind on a store in memory.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "engine/command/codec.h"
#include "tests/contract/engines.h"
#include "tests/support/memory_store.h"

namespace vtpm {

class EngineContract : public testing::TestWithParam<EngineKind> {
 protected:
  const EngineKind& kind() const { return GetParam(); }
  BlobName blob(BlobKind k) const { return {kind().version, k}; }

  void make(bool may_manufacture = true) {
    engine_.reset();  // one per process
    engine_ = kind().make(store_, may_manufacture);
  }

  void SetUp() override {
    make();
    engine_->buffer_size(4096);  // the library keeps it from one test to the next
  }

  Result<PoweredOn> power_on(StoredVolatile stored = StoredVolatile::keep) {
    return engine_->power_on(stored);
  }

  void power_on_and_start() {
    ASSERT_TRUE(power_on().has_value());
    ASSERT_EQ(send(startup()), rc::success);
  }

  ResponseCode send(ByteView command) {
    return response_code(engine_->execute(command, Locality{}).value());
  }

  Bytes startup() const { return startup_command(kind().version, StartupType::clear); }

  MemoryStore store_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace vtpm
