// A VirtualTpm on a fake engine, for the tests of its rules.
#pragma once

#include <gtest/gtest.h>

#include "engine/tpm/virtual_tpm.h"
#include "tests/support/commands.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/fake_engine.h"
#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/recording_listener.h"

namespace vtpm {

class VirtualTpmTest : public testing::Test {
 protected:
  explicit VirtualTpmTest(TpmVersion version = TpmVersion::tpm20, VirtualTpmOptions options = {})
      : engine_(store_, version), tpm_(engine_, store_, backoff_, options) {}

  void TearDown() override { EXPECT_EQ(store_.unlocked_writes, 0); }

  void power_on() { ASSERT_TRUE(tpm_.power_on().has_value()); }

  void power_on_and_start() {
    power_on();
    ASSERT_TRUE(tpm_.startup(StartupType::clear).has_value());
  }

  ResponseCode execute(ByteView command) { return response_code(tpm_.execute(command)); }

  // A TPM whose state cannot be loaded.
  void break_store() {
    store_.fail_loads = true;
    ASSERT_FALSE(tpm_.power_on().has_value());
  }

  // The TPM goes into failure mode.
  void break_tpm() { execute(tpm2_command(FakeEngine::kBreak)); }

  MemoryStore store_;
  FakeEngine engine_;
  FakeBackoff backoff_;
  VirtualTpm tpm_;
};

}  // namespace vtpm
