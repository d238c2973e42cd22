// Power and control through the node: what clients see before power-on, across a power cycle, and
// when the node's opener is the power switch.
#include <gtest/gtest.h>
#include <vtpm/ioctl.h>

#include <algorithm>
#include <cstring>

#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

constexpr Caller kUser{.uid = 1000, .gid = 1000};

uint32_t result_of(const WireReply& reply) {
  uint32_t result = 0xFFFFFFFF;
  std::memcpy(&result, reply.body.data(), std::min(reply.body.size(), sizeof(result)));
  return result;
}

Bytes failure_of(TpmVersion version) {
  return failure_response(version);
}

class PowerTest : public testing::Test {
 protected:
  Bytes ask(uint64_t file, const Bytes& command) {
    EXPECT_EQ(kernel.write(file, command).error, 0);
    return kernel.read(file).body;
  }

  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  WireKernel& kernel = wired.kernel;
};

TEST_F(PowerTest, Command_BeforePowerOn_GetsTheTaggedFailure) {
  uint64_t file = kernel.open_file();
  EXPECT_EQ(ask(file, get_random(4)), failure_of(TpmVersion::tpm20));
}

TEST_F(PowerTest, Init_PowersOnAndLeavesStartupToTheClient) {
  uint64_t file = kernel.open_file();
  EXPECT_EQ(result_of(kernel.ioctl(file, VTPM_INIT, Bytes(4), 4)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(response_code(ask(file, get_random(4))), rc::initialize);
  EXPECT_EQ(response_code(ask(file, tpm2_startup())), rc::success);
}

TEST_F(PowerTest, Init_WhileOnAndStarted_ShutsDownFirst) {
  uint64_t file = kernel.open_file();
  kernel.ioctl(file, VTPM_INIT, Bytes(4), 4);
  ask(file, tpm2_startup());
  kernel.ioctl(file, VTPM_INIT, Bytes(4), 4);
  EXPECT_EQ(engine.executed, (std::vector{cc::startup, cc::shutdown}));
}

TEST_F(PowerTest, Init_WithGarbageFlags_Succeeds) {
  uint64_t file = kernel.open_file();
  Bytes garbage(4, std::byte{0xFE});
  EXPECT_EQ(result_of(kernel.ioctl(file, VTPM_INIT, garbage, 4)), VTPM_RESULT_SUCCESS);
}

TEST_F(PowerTest, Init_ThatFails_SaysSoAndLaterSucceeds) {
  uint64_t file = kernel.open_file();
  engine.fail_power_on = true;
  EXPECT_EQ(result_of(kernel.ioctl(file, VTPM_INIT, Bytes(4), 4)), VTPM_RESULT_TPM2_FAILURE);
  EXPECT_EQ(wired.tpm.phase(), Phase::failed);
  engine.fail_power_on = false;
  EXPECT_EQ(result_of(kernel.ioctl(file, VTPM_INIT, Bytes(4), 4)), VTPM_RESULT_SUCCESS);
}

TEST_F(PowerTest, Shutdown_AnswersAndAsksTheDaemonToEnd) {
  uint64_t file = kernel.open_file();
  EXPECT_EQ(result_of(kernel.ioctl(file, VTPM_SHUTDOWN, {}, 4)), VTPM_RESULT_SUCCESS);
  EXPECT_TRUE(wired.end_requested);
  EXPECT_EQ(wired.tpm.phase(), Phase::gone);
}

TEST_F(PowerTest, ControlRequest_ByAnOrdinaryOpener_IsNotPermitted) {
  uint64_t file = kernel.open_file(0, kUser);
  EXPECT_EQ(kernel.ioctl(file, VTPM_STOP, {}, 4).error, EPERM);
  EXPECT_EQ(kernel.ioctl(file, VTPM_GET_CAPABILITY, {}, 8).error, 0);
  EXPECT_EQ(kernel.ioctl(file, VTPM_GET_CONFIG, {}, 8).error, 0);
}

TEST_F(PowerTest, ControlRequest_OfTheWrongSize_IsInvalid) {
  uint64_t file = kernel.open_file();
  EXPECT_EQ(kernel.ioctl(file, VTPM_INIT, Bytes(3), 4).error, EINVAL);
}

TEST_F(PowerTest, Locality_SetByIoctl_ReachesTheNextCommand) {
  uint64_t file = kernel.open_file();
  kernel.ioctl(file, VTPM_INIT, Bytes(4), 4);
  Bytes two = {std::byte{2}, {}, {}, {}};
  EXPECT_EQ(result_of(kernel.ioctl(file, VTPM_SET_LOCALITY, two, 4)), VTPM_RESULT_SUCCESS);
  ask(file, get_random(4));
  EXPECT_EQ(engine.last_locality, Locality{2});
}

TEST_F(PowerTest, Tpm12_BeforePowerOn_AnswersWithItsOwnTag) {
  MemoryStore other_store;
  FakeEngine tpm12(other_store, TpmVersion::tpm12);
  WiredTpm other(tpm12, other_store);
  uint64_t file = other.kernel.open_file();
  EXPECT_EQ(other.kernel.write(file, startup_command(TpmVersion::tpm12, StartupType::clear)).error,
            0);
  EXPECT_EQ(other.kernel.read(file).body, failure_of(TpmVersion::tpm12));
}

class PowerAtOpenTest : public testing::Test {
 protected:
  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store, {.power = PowerSwitch::at_open}};
  WireKernel& kernel = wired.kernel;
};

TEST_F(PowerAtOpenTest, Open_PowersOnWithoutStartup) {
  kernel.open_file();
  EXPECT_EQ(wired.tpm.phase(), Phase::on);
  EXPECT_TRUE(engine.executed.empty());
}

TEST_F(PowerAtOpenTest, Release_PowersOffInOrder) {
  uint64_t file = kernel.open_file();
  ASSERT_EQ(kernel.write(file, tpm2_startup()).error, 0);
  ASSERT_EQ(kernel.release(file).error, 0);
  EXPECT_EQ(wired.tpm.phase(), Phase::off);
  EXPECT_EQ(engine.executed, (std::vector{cc::startup, cc::shutdown}));
}

TEST_F(PowerAtOpenTest, Open_WithUnusableState_OpensATpmInFailure) {
  engine.fail_power_on = true;
  uint64_t file = kernel.open_file();
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  EXPECT_EQ(kernel.read(file).body, failure_of(TpmVersion::tpm20));
}

TEST_F(PowerAtOpenTest, Open_ByTheDaemonItself_LeavesPowerAlone) {
  uint64_t own = kernel.open_file(0, {.pid = getpid()});
  EXPECT_EQ(wired.tpm.phase(), Phase::off);
  ASSERT_EQ(kernel.release(own).error, 0);
  EXPECT_EQ(engine.power_ons, 0);
}

}  // namespace
}  // namespace vtpm
