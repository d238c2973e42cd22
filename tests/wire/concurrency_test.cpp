// The raw node while a command runs: who waits, who is answered at once, and what each gets.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <vtpm/ioctl.h>

#include <thread>

#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

constexpr unsigned kReadable = POLLIN | POLLRDNORM;
constexpr unsigned kWritable = POLLOUT | POLLWRNORM;
constexpr uint32_t kTcgets = 0x5401;

class ConcurrencyTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(wired.tpm.power_on());
    ASSERT_TRUE(wired.tpm.startup(StartupType::clear));
    file = kernel.open_file();
    engine.hold_long_commands();
  }
  void TearDown() override { engine.release(); }

  // A command that runs until release(), and is running when this returns.
  WireKernel::Unique start_long_command(int flags = 0) {
    auto request = kernel.send_write(file, create_primary(), flags);
    engine.wait_until_held();
    return request;
  }

  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  WireKernel& kernel = wired.kernel;
  uint64_t file = 0;
};

TEST_F(ConcurrencyTest, BlockingWrite_ReturnsAfterTheCommand) {
  auto write = start_long_command();
  EXPECT_FALSE(kernel.answered(write));
  engine.release();
  EXPECT_EQ(kernel.wait(write).error, 0);
  EXPECT_EQ(kernel.poll(file, kReadable), kReadable);
}

TEST_F(ConcurrencyTest, NonBlockingWrite_OfALongCommand_ReturnsBefore) {
  auto write = start_long_command(O_NONBLOCK);
  EXPECT_EQ(kernel.wait(write).error, 0);
  EXPECT_EQ(kernel.poll(file, kReadable | kWritable, true), 0U);
  engine.release();
  kernel.wait_notification();
  EXPECT_EQ(kernel.poll(file, kReadable | kWritable), kReadable);
}

TEST_F(ConcurrencyTest, NonBlockingWrite_OfAShortCommand_IsReadableAtOnce) {
  ASSERT_EQ(kernel.write(file, get_random(4), O_NONBLOCK).error, 0);
  EXPECT_EQ(kernel.poll(file, kReadable), kReadable);
}

TEST_F(ConcurrencyTest, NonBlockingWrites_OfShortCommandsInARow_AreEachReadableAtOnce) {
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(kernel.write(file, get_random(4), O_NONBLOCK).error, 0);
    ASSERT_EQ(kernel.poll(file, kReadable), kReadable) << "command " << i;
    ASSERT_EQ(kernel.read(file).error, 0);
  }
}

TEST_F(ConcurrencyTest, NonBlockingWrite_WhileAnotherFilesLongCommandRuns_IsAnsweredFirst) {
  WireKernel& control = wired.control_kernel;
  auto request = std::make_unique<vtpm_execute>();
  request->req.locality = VTPM_LOCALITY_CURRENT;
  Bytes command = create_primary();
  request->req.length = static_cast<uint32_t>(command.size());
  std::ranges::copy(command, std::as_writable_bytes(std::span(request->req.data)).begin());
  auto long_command =
      control.send_ioctl(control.open_file(), VTPM_EXECUTE,
                         std::as_bytes(std::span(request.get(), 1)), sizeof(vtpm_execute));
  engine.wait_until_held();
  EXPECT_EQ(kernel.write(file, get_random(4), O_NONBLOCK).error, 0);
  EXPECT_EQ(kernel.poll(file, kReadable, true), 0U);
  engine.release();
  EXPECT_EQ(control.wait(long_command).error, 0);
  kernel.wait_notification();
  EXPECT_EQ(kernel.read(file).body.size(), kHeaderSize + 2 + 4);
}

TEST_F(ConcurrencyTest, PollAndIoctls_WhileACommandRuns_AreAnswered) {
  auto write = start_long_command();
  EXPECT_EQ(kernel.poll(file, kReadable | kWritable), 0U);
  EXPECT_EQ(kernel.ioctl(file, VTPM_GET_CAPABILITY, {}, 8).error, 0);
  EXPECT_EQ(kernel.ioctl(file, kTcgets, {}, 0).error, ENOTTY);
  EXPECT_EQ(kernel.open().error, EBUSY);
  EXPECT_FALSE(kernel.answered(write));
}

TEST_F(ConcurrencyTest, ManyRequestsThatWait_LeaveRoomForACancel) {
  auto write = start_long_command();
  for (int i = 0; i < 50; ++i) {
    kernel.send_read(file, 4096);
    kernel.send_ioctl(file, VTPM_STOP, {}, 4);
  }
  EXPECT_EQ(kernel.ioctl(file, VTPM_CANCEL_TPM_CMD, {}, 4).error, 0);
  EXPECT_EQ(kernel.wait(write).error, 0);
}

TEST_F(ConcurrencyTest, Cancel_EndsTheCommandWithItsCode) {
  auto write = start_long_command();
  ASSERT_EQ(kernel.ioctl(file, VTPM_CANCEL_TPM_CMD, {}, 4).error, 0);
  ASSERT_EQ(kernel.wait(write).error, 0);
  EXPECT_EQ(response_code(kernel.read(file).body), rc::canceled);
}

TEST_F(ConcurrencyTest, SecondWrite_WaitsThenIsBusyAndLeavesTheFirstAlone) {
  auto first = start_long_command();
  auto second = kernel.send_write(file, get_random(4));
  EXPECT_FALSE(kernel.answered(second));
  engine.release();
  EXPECT_EQ(kernel.wait(first).error, 0);
  EXPECT_EQ(kernel.wait(second).error, EBUSY);
  EXPECT_EQ(kernel.read(file).body, error_response(TpmVersion::tpm20, rc::success));
}

TEST_F(ConcurrencyTest, Read_WhileTheCommandRuns_WaitsForItsResponse) {
  auto write = start_long_command(O_NONBLOCK);
  ASSERT_EQ(kernel.wait(write).error, 0);
  auto read = kernel.send_read(file, 4096, O_NONBLOCK);
  EXPECT_FALSE(kernel.answered(read));
  engine.release();
  EXPECT_EQ(kernel.wait(read).body, error_response(TpmVersion::tpm20, rc::success));
}

TEST_F(ConcurrencyTest, RequestsThatWaited_GoOnInTheOrderOfArrival) {
  auto first = start_long_command();
  auto refused = kernel.send_write(file, get_random(4));
  auto read = kernel.send_read(file, 4096);
  auto accepted = kernel.send_write(file, get_random(8));
  EXPECT_FALSE(kernel.answered(accepted));
  engine.release();
  EXPECT_EQ(kernel.wait(first).error, 0);
  EXPECT_EQ(kernel.wait(refused).error, EBUSY);
  EXPECT_EQ(kernel.wait(read).body.size(), kHeaderSize);
  EXPECT_EQ(kernel.wait(accepted).error, 0);
  EXPECT_EQ(kernel.read(file).body.size(), kHeaderSize + 2 + 8);
}

TEST_F(ConcurrencyTest, Release_WhileTheCommandRuns_WaitsAndFreesTheSlot) {
  auto write = start_long_command(O_NONBLOCK);
  ASSERT_EQ(kernel.wait(write).error, 0);
  auto release = kernel.send_release(file);
  EXPECT_FALSE(kernel.answered(release));
  EXPECT_EQ(kernel.open().error, EBUSY);
  engine.release();
  EXPECT_EQ(kernel.wait(release).error, 0);
  EXPECT_EQ(kernel.open().error, 0);
}

TEST_F(ConcurrencyTest, Interrupt_IsIgnoredAsByTheKernelsDriver) {
  auto write = start_long_command();
  kernel.send_interrupt(write);
  EXPECT_EQ(kernel.poll(file, kReadable), 0U);
  EXPECT_FALSE(kernel.answered(write));
  engine.release();
  EXPECT_EQ(kernel.wait(write).error, 0);
}

TEST_F(ConcurrencyTest, EdgeTriggeredPoller_IsWokenForEveryCommand) {
  ASSERT_EQ(kernel.poll(file, kReadable, true), kWritable);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(kernel.write(file, get_random(4), O_NONBLOCK).error, 0);
    kernel.wait_notification();
    ASSERT_EQ(kernel.read(file).error, 0);
  }
}

TEST_F(ConcurrencyTest, Init_WhileACommandRuns_WaitsForIt) {
  auto write = start_long_command();
  auto init = kernel.send_ioctl(file, VTPM_INIT, Bytes(4), 4);
  EXPECT_FALSE(kernel.answered(init));
  engine.release();
  EXPECT_EQ(kernel.wait(write).error, 0);
  EXPECT_EQ(kernel.wait(init).error, 0);
  EXPECT_EQ(engine.power_ons, 2);
}

TEST_F(ConcurrencyTest, ChannelThatTheKernelCloses_IsTold) {
  auto ended = wired.channel_ended.get_future();
  kernel.close_channel();
  EXPECT_EQ(ended.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(ConcurrencyTest, Stop_WhileACommandRuns_LetsItFinish) {
  auto write = start_long_command();
  std::thread stopper([&] { wired.session->stop(); });
  engine.release();
  stopper.join();
  EXPECT_EQ(kernel.wait(write).error, 0);
}

}  // namespace
}  // namespace vtpm
