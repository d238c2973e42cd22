// The contract of the raw node: what open, write, read, poll and close do when one thread uses
// them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

constexpr unsigned kReadable = POLLIN | POLLRDNORM;
constexpr unsigned kWritable = POLLOUT | POLLWRNORM;
constexpr unsigned kBoth = kReadable | kWritable;

class RawNodeTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(wired.tpm.power_on());
    ASSERT_TRUE(wired.tpm.startup(StartupType::clear));
    file = kernel.open_file();
  }

  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  WireKernel& kernel = wired.kernel;
  uint64_t file = 0;
};

TEST_F(RawNodeTest, Open_WhileHeld_IsBusy) {
  EXPECT_EQ(kernel.open().error, EBUSY);
}

TEST_F(RawNodeTest, Open_AfterRelease_Succeeds) {
  ASSERT_EQ(kernel.release(file).error, 0);
  EXPECT_EQ(kernel.open().error, 0);
}

TEST_F(RawNodeTest, Open_ForReadingOnly_IsDeniedWhoeverAsks) {
  ASSERT_EQ(kernel.release(file).error, 0);
  EXPECT_EQ(kernel.open(O_RDONLY).error, EACCES);
  EXPECT_EQ(kernel.open(O_RDONLY | O_NONBLOCK, {.uid = 1000}).error, EACCES);
}

TEST_F(RawNodeTest, Open_ForReadingOnly_TakesNoSlotAndIsNoOpener) {
  ASSERT_EQ(kernel.release(file).error, 0);
  EXPECT_EQ(kernel.open(O_RDONLY, {.pid = 815}).error, EACCES);

  EXPECT_FALSE(wired.node.in_use());
  EXPECT_NE(wired.node.opener().process, 815);
  EXPECT_EQ(kernel.open().error, 0);
}

TEST_F(RawNodeTest, Open_ForReadingOnlyWhileHeld_IsDenied) {
  EXPECT_EQ(kernel.open(O_RDONLY).error, EACCES);
}

TEST_F(RawNodeTest, Open_ForWritingOnly_SendsCommands) {
  ASSERT_EQ(kernel.release(file).error, 0);
  uint64_t writer = kernel.open_file(O_WRONLY);

  EXPECT_EQ(kernel.write(writer, get_random(4)).error, 0);
}

TEST_F(RawNodeTest, Write_OfACommand_GivesItsResponse) {
  EXPECT_EQ(kernel.write(file, get_random(4)).error, 0);
  WireReply reply = kernel.read(file);
  EXPECT_EQ(reply.body.size(), kHeaderSize + 2 + 4);
  EXPECT_EQ(response_code(reply.body), rc::success);
}

TEST_F(RawNodeTest, Write_ReturnsAllThatWasWritten) {
  Bytes command = get_random(4);
  command.resize(command.size() + 7);
  WireReply reply = kernel.write(file, command);
  EXPECT_EQ(std::to_integer<unsigned>(reply.body.at(0)), command.size());
}

TEST_F(RawNodeTest, Write_WithTrailingBytes_SendsTheDeclaredOnes) {
  Bytes command = get_random(4);
  command.resize(command.size() + 7);
  ASSERT_EQ(kernel.write(file, command).error, 0);
  EXPECT_EQ(response_code(kernel.read(file).body), rc::success);
}

TEST_F(RawNodeTest, Write_OfMoreThan4096Bytes_IsTooBig) {
  EXPECT_EQ(kernel.write(file, Bytes(4097)).error, E2BIG);
}

TEST_F(RawNodeTest, Write_OfFewerThanSixBytes_IsInvalid) {
  EXPECT_EQ(kernel.write(file, Bytes(5)).error, EINVAL);
}

TEST_F(RawNodeTest, Write_OfLessThanDeclared_IsInvalid) {
  Bytes command = get_random(4);
  command.pop_back();
  EXPECT_EQ(kernel.write(file, command).error, EINVAL);
}

TEST_F(RawNodeTest, Write_DeclaringNothing_HasNoData) {
  EXPECT_EQ(kernel.write(file, Bytes(12)).error, ENODATA);
}

TEST_F(RawNodeTest, Write_OfAHeaderlessCommand_IsTheTpmsToRefuse) {
  Bytes command = BigEndianWriter().u16(0x8001).u32(6).take();
  ASSERT_EQ(kernel.write(file, command).error, 0);
  EXPECT_EQ(response_code(kernel.read(file).body), ResponseCode{0x142});
}

TEST_F(RawNodeTest, Write_RefusedForItsHeader_LeavesTheNextOneFree) {
  ASSERT_EQ(kernel.write(file, Bytes(5)).error, EINVAL);
  EXPECT_EQ(kernel.write(file, get_random(4)).error, 0);
}

TEST_F(RawNodeTest, Write_OverAnUnreadResponse_IsBusyAndKeepsIt) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  EXPECT_EQ(kernel.write(file, get_random(8)).error, EBUSY);
  EXPECT_EQ(kernel.read(file).body.size(), kHeaderSize + 2 + 4);
}

TEST_F(RawNodeTest, Write_AfterAPartialRead_DropsTheTail) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  ASSERT_EQ(kernel.read(file, 10).body.size(), 10U);
  ASSERT_EQ(kernel.write(file, get_random(8)).error, 0);
  EXPECT_EQ(kernel.read(file).body.size(), kHeaderSize + 2 + 8);
}

TEST_F(RawNodeTest, Read_WithNothingPending_IsEmpty) {
  WireReply reply = kernel.read(file);
  EXPECT_EQ(reply.error, 0);
  EXPECT_TRUE(reply.body.empty());
}

TEST_F(RawNodeTest, Read_InPieces_GivesTheWholeResponseOnce) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  Bytes whole = kernel.read(file, 10).body;
  Bytes rest = kernel.read(file).body;
  EXPECT_EQ(whole.size(), 10U);
  EXPECT_EQ(rest, BigEndianWriter().u16(4).u32(0x01020304).take());
  EXPECT_TRUE(kernel.read(file).body.empty());
}

TEST_F(RawNodeTest, Poll_WithNothingPending_IsExactlyWritable) {
  EXPECT_EQ(kernel.poll(file, kBoth), kWritable);
}

TEST_F(RawNodeTest, Poll_WithAResponse_IsExactlyReadable) {
  ASSERT_EQ(kernel.write(file, get_random(4), O_NONBLOCK).error, 0);
  EXPECT_EQ(kernel.poll(file, kBoth), kReadable);
}

TEST_F(RawNodeTest, Poll_AfterAPartialRead_StaysReadable) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  kernel.read(file, 10);
  EXPECT_EQ(kernel.poll(file, kBoth), kReadable);
}

TEST_F(RawNodeTest, Poll_ForWriting_IsWokenWhenTheResponseIsRead) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  ASSERT_EQ(kernel.poll(file, kWritable, true), kReadable);
  ASSERT_EQ(kernel.read(file).error, 0);
  kernel.wait_notification();
  EXPECT_EQ(kernel.poll(file, kWritable), kWritable);
}

TEST_F(RawNodeTest, Response_UnreadFor120Seconds_IsDiscarded) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  wired.clock.advance(std::chrono::seconds(120));
  EXPECT_TRUE(kernel.read(file).body.empty());
  EXPECT_EQ(kernel.write(file, get_random(4)).error, 0);
}

TEST_F(RawNodeTest, Response_UnreadForLess_IsKept) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  wired.clock.advance(std::chrono::milliseconds(119999));
  EXPECT_FALSE(kernel.read(file).body.empty());
}

TEST_F(RawNodeTest, ResponseTimeout_IsNotProlongedByAPartialRead) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  wired.clock.advance(std::chrono::seconds(100));
  kernel.read(file, 10);
  wired.clock.advance(std::chrono::seconds(20));
  EXPECT_TRUE(kernel.read(file).body.empty());
}

TEST_F(RawNodeTest, ResponseTimeout_CountsFromTheLatestResponse) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  kernel.read(file);
  wired.clock.advance(std::chrono::seconds(100));
  ASSERT_EQ(kernel.write(file, get_random(8)).error, 0);
  wired.clock.advance(std::chrono::seconds(100));
  EXPECT_EQ(kernel.read(file).body.size(), kHeaderSize + 2 + 8);
}

TEST_F(RawNodeTest, ResponseTimeout_WakesPollers) {
  ASSERT_EQ(kernel.poll(file, POLLPRI, true), kWritable);
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  kernel.wait_notification();
  wired.clock.advance(std::chrono::seconds(120));
  kernel.wait_notification();
  EXPECT_EQ(kernel.poll(file, kBoth), kWritable);
}

TEST_F(RawNodeTest, Release_LeavesNoAlarmBehind) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  ASSERT_EQ(wired.clock.alarms(), 1U);
  ASSERT_EQ(kernel.release(file).error, 0);
  EXPECT_EQ(wired.clock.alarms(), 0U);
}

TEST_F(RawNodeTest, Release_WithAResponsePending_LeavesNothingToTheNextOpener) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  ASSERT_EQ(kernel.release(file).error, 0);
  uint64_t next = kernel.open_file();
  EXPECT_TRUE(kernel.read(next).body.empty());
}

TEST_F(RawNodeTest, Request_OnAHandleThatWasNeverGiven_IsABadFile) {
  EXPECT_EQ(kernel.read(file + 1000).error, EBADF);
  EXPECT_EQ(kernel.release(file + 1000).error, EBADF);
}

TEST_F(RawNodeTest, OpenAndRelease_ManyTimes_IsNeverFalselyBusy) {
  ASSERT_EQ(kernel.release(file).error, 0);
  for (int i = 0; i < 1000; ++i) {
    uint64_t again = kernel.open_file();
    ASSERT_EQ(kernel.write(again, get_random(4)).error, 0);
    ASSERT_EQ(kernel.release(again).error, 0);
  }
}

}  // namespace
}  // namespace vtpm
