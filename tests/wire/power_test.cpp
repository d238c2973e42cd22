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
  uint64_t file = kernel.open_file(O_RDWR, kUser);
  EXPECT_EQ(kernel.ioctl(file, VTPM_STOP, {}, 4).error, EPERM);
  EXPECT_EQ(kernel.ioctl(file, VTPM_GET_CAPABILITY, {}, 8).error, 0);
  EXPECT_EQ(kernel.ioctl(file, VTPM_GET_CONFIG, {}, 8).error, 0);
}

TEST_F(PowerTest, ControlRequest_ByRootOfAContainer_IsNotPermitted) {
  MemoryStore other_store;
  FakeEngine other_engine(other_store);
  WiredTpm other(other_engine, other_store, {.access = {.is_root = [](pid_t) { return false; }}});
  uint64_t raw = other.kernel.open_file();
  uint64_t control = other.control_kernel.open_file();

  EXPECT_EQ(other.kernel.ioctl(raw, VTPM_STOP, {}, 4).error, EPERM);
  EXPECT_EQ(other.control_kernel.ioctl(control, VTPM_STOP, {}, 4).error, EPERM);
}

TEST_F(PowerTest, ControlRequest_ByTheControlUserWhoIsRootByNumber_IsPermitted) {
  MemoryStore other_store;
  FakeEngine other_engine(other_store);
  WiredTpm other(other_engine, other_store,
                 {.access = {.user = 0, .is_root = [](pid_t) { return false; }}});

  uint64_t raw = other.kernel.open_file();

  EXPECT_EQ(other.kernel.ioctl(raw, VTPM_STOP, {}, 4).error, 0);
}

TEST_F(PowerTest, ControlRequest_OnARawNodeThatTakesNone_IsNotPermittedToAnybody) {
  MemoryStore other_store;
  FakeEngine other_engine(other_store);
  WiredTpm other(
      other_engine, other_store,
      {.access = {.user = 0, .on_raw_node = false, .is_root = [](pid_t) { return true; }}});
  uint64_t raw = other.kernel.open_file();
  uint64_t control = other.control_kernel.open_file();

  EXPECT_EQ(other.kernel.ioctl(raw, VTPM_STOP, {}, 4).error, EPERM);
  EXPECT_EQ(other.kernel.ioctl(raw, VTPM_GET_CONFIG, {}, 8).error, 0);
  EXPECT_EQ(other.control_kernel.ioctl(control, VTPM_STOP, {}, 4).error, 0);
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

TEST_F(PowerTest, Locality_BehindInit_IsZero) {
  uint64_t file = kernel.open_file();
  Bytes two = {std::byte{2}, {}, {}, {}};
  kernel.ioctl(file, VTPM_SET_LOCALITY, two, 4);

  kernel.ioctl(file, VTPM_INIT, Bytes(4), 4);

  ask(file, get_random(4));
  EXPECT_EQ(engine.last_locality, Locality{0});
}

TEST_F(PowerTest, Locality_BehindTheRawNodesClose_IsZero) {
  uint64_t file = kernel.open_file();
  kernel.ioctl(file, VTPM_INIT, Bytes(4), 4);
  Bytes two = {std::byte{2}, {}, {}, {}};
  kernel.ioctl(file, VTPM_SET_LOCALITY, two, 4);
  kernel.release(file);

  uint64_t next = kernel.open_file(O_RDWR, kUser);

  ask(next, get_random(4));
  EXPECT_EQ(engine.last_locality, Locality{0});
}

TEST_F(PowerTest, Locality_SetThroughTheControlNode_HoldsForTheOpenerThatFollows) {
  uint64_t control = wired.control_kernel.open_file();
  wired.control_kernel.ioctl(control, VTPM_INIT, Bytes(4), 4);
  Bytes two = {std::byte{2}, {}, {}, {}};
  wired.control_kernel.ioctl(control, VTPM_SET_LOCALITY, two, 4);
  wired.control_kernel.release(control);

  uint64_t file = kernel.open_file();

  ask(file, get_random(4));
  EXPECT_EQ(engine.last_locality, Locality{2});
}

TEST_F(PowerTest, ControlNode_OpenedForReadingOnlyByRoot_LetsLookAndNothingElse) {
  WireKernel& wire = wired.control_kernel;
  uint64_t file = wire.open_file(O_RDONLY);

  EXPECT_EQ(wire.ioctl(file, VTPM_GET_CAPABILITY, {}, 8).error, 0);
  EXPECT_EQ(wire.ioctl(file, VTPM_GET_STATUS, {}, sizeof(vtpm_status)).error, 0);
  EXPECT_EQ(wire.ioctl(file, VTPM_INIT, Bytes(4), 4).error, EPERM);
  EXPECT_EQ(wire.ioctl(file, VTPM_EXECUTE, Bytes(sizeof(vtpm_execute)), sizeof(vtpm_execute)).error,
            EPERM);
}

TEST_F(PowerTest, ControlNode_OpenedForWritingOrIoctlsOnly_Controls) {
  WireKernel& wire = wired.control_kernel;
  constexpr int kIoctlsOnly = 3;

  uint64_t writer = wire.open_file(O_WRONLY);
  uint64_t steerer = wire.open_file(kIoctlsOnly);

  EXPECT_EQ(wire.ioctl(writer, VTPM_STOP, {}, 4).error, 0);
  EXPECT_EQ(wire.ioctl(steerer, VTPM_STOP, {}, 4).error, 0);
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

TEST_F(PowerAtOpenTest, Open_ForReadingOnly_LeavesPowerAlone) {
  EXPECT_EQ(kernel.open(O_RDONLY).error, EACCES);

  EXPECT_EQ(wired.tpm.phase(), Phase::off);
  EXPECT_EQ(engine.power_ons, 0);
}

}  // namespace
}  // namespace vtpm
