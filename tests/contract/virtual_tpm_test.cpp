// The power cycle's rules and the retries on the real TPM 2.0.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/tpm/libtpms_engine.h"
#include "engine/tpm/virtual_tpm.h"
#include "tests/support/commands.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/nv_commands.h"
#include "tests/support/recording_listener.h"

namespace vtpm {
namespace {

class VirtualLibtpms : public testing::Test {
 protected:
  void power_on_and_start(StartupType type = StartupType::clear) {
    must(tpm_.power_on());
    must(tpm_.startup(type));
  }

  ResponseCode send(ByteView command) { return response_code(tpm_.execute(command)); }

  MemoryStore store_;
  std::unique_ptr<LibtpmsEngine> engine_ = LibtpmsEngine::create({}, store_).value();
  FakeBackoff backoff_;
  VirtualTpm tpm_{*engine_, store_, backoff_};
};

// libtpms 0.9 answers TPM_RC_RETRY to the first use of an object with dictionary-attack protection
// after Startup, while it notes that in its NV memory.
TEST_F(VirtualLibtpms, FirstUseOfAProtectedObject_IsAnsweredForGood) {
  power_on_and_start();
  ASSERT_EQ(send(nv_define(1, kNvWithDa)), rc::success);

  EXPECT_EQ(send(nv_write(1, hex("01020304"))), rc::success);
  EXPECT_LE(backoff_.waits.size(), 1u);
}

TEST_F(VirtualLibtpms, ShutdownStateThenAnotherCommandThenPowerCycle_Resumes) {
  power_on_and_start();
  ASSERT_EQ(send(shutdown_command(ShutdownType::state)), rc::success);
  ASSERT_EQ(send(get_random(8)), rc::success);

  must(tpm_.power_on());

  EXPECT_TRUE(tpm_.startup(StartupType::state).has_value());
}

TEST_F(VirtualLibtpms, PowerOffWithoutAWord_ResumesAllTheSame) {
  power_on_and_start();

  tpm_.power_off();
  must(tpm_.power_on());

  EXPECT_TRUE(tpm_.startup(StartupType::state).has_value());
}

TEST_F(VirtualLibtpms, BufferSizeBeforeStartup_IsToldAsAfterIt) {
  ASSERT_TRUE(tpm_.power_on());
  Bytes before = tpm_.execute(buffer_size_query());

  ASSERT_TRUE(tpm_.startup(StartupType::clear));

  EXPECT_EQ(tpm_.execute(buffer_size_query()), before);
}

TEST_F(VirtualLibtpms, StartupStateWithoutAShutdownBefore_IsRefusedByTheTpm) {
  must(tpm_.power_on());

  auto started = tpm_.startup(StartupType::state);

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, Errc::tpm);
}

TEST_F(VirtualLibtpms, FailedCommit_IsToldAndTheTpmGoesOnWhenTheStoreIsBack) {
  power_on_and_start();
  RecordingListener listener;
  tpm_.add_listener(listener);
  store_.fail_stores = true;
  EXPECT_EQ(send(nv_define(1, kNvNoDa)), rc::nv_unavailable);
  EXPECT_EQ(send(get_random(8)), rc::success);
  EXPECT_EQ(tpm_.phase(), Phase::on);
  store_.fail_stores = false;

  EXPECT_EQ(send(nv_define(1, kNvNoDa)), rc::success);
  EXPECT_THAT(listener.not_stored, testing::ElementsAre(testing::FieldsAre(
                                       CommandCode{0x12A}, Change::undone, "store told to fail")));
}

TEST_F(VirtualLibtpms, FailedCommit_LeavesPcrsSessionsAndKeysAlone) {
  power_on_and_start();
  ASSERT_EQ(send(hex("8002 00000041 00000182 00000010 00000009 40000009 0000 00 0000"
                     "00000001 000b" +
                     std::string(64, '5'))),
            rc::success);  // PCR_Extend(16)
  Bytes pcr = tpm_.execute(hex("8001 00000014 0000017e 00000001 000b 03 000001"));
  store_.fail_stores = true;

  ASSERT_EQ(send(nv_define(1, kNvNoDa)), rc::nv_unavailable);

  EXPECT_EQ(tpm_.execute(hex("8001 00000014 0000017e 00000001 000b 03 000001")), pcr);
}

TEST_F(VirtualLibtpms, DamagedState_IsAFaultAndIsNotOverwritten) {
  Bytes damaged(1299, std::byte{0x5a});
  store_.put({TpmVersion::tpm20, BlobKind::permanent}, damaged);

  EXPECT_FALSE(tpm_.power_on().has_value());

  EXPECT_EQ(tpm_.phase(), Phase::failed);
  EXPECT_EQ(*store_.find({TpmVersion::tpm20, BlobKind::permanent}), damaged);
}

}  // namespace
}  // namespace vtpm
