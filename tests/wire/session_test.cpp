// CuseSession against the protocol: the handshake, and requests that no sane kernel sends.
#include <gtest/gtest.h>
#include <linux/fuse.h>

#include <algorithm>
#include <cstring>

#include "tests/support/failing_memory.h"
#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

class SessionTest : public testing::Test {
 protected:
  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  WireKernel& kernel = wired.kernel;
};

TEST_F(SessionTest, Handshake_NamesTheDevice) {
  Bytes reply = kernel.init_reply();
  auto name = as_bytes("DEVNAME=vtpm0");
  EXPECT_NE(std::search(reply.begin(), reply.end(), name.begin(), name.end()), reply.end());
}

TEST_F(SessionTest, Handshake_AsksForRestrictedIoctls) {
  cuse_init_out out{};
  Bytes reply = kernel.init_reply();
  ASSERT_GE(reply.size(), sizeof(out));
  std::memcpy(&out, reply.data(), sizeof(out));
  EXPECT_EQ(out.flags & CUSE_UNRESTRICTED_IOCTL, 0U);
}

TEST_F(SessionTest, Request_OfAnUnknownKind_IsNotImplemented) {
  constexpr uint32_t kLseek = 46;
  EXPECT_EQ(kernel.wait(kernel.send_raw(kLseek, Bytes(24))).error, ENOSYS);
}

TEST_F(SessionTest, Ioctl_ThatNobodyKnows_IsNoTty) {
  uint64_t file = kernel.open_file();
  EXPECT_EQ(kernel.ioctl(file, 0x5401, {}, 0).error, ENOTTY);
  EXPECT_EQ(kernel.ioctl(file, 0xc0045063, Bytes(4), 4).error, ENOTTY);
}

TEST_F(SessionTest, OneMoreHandshake_IsRefusedAndHarmsNothing) {
  EXPECT_NE(kernel.wait(kernel.send_raw(CUSE_INIT, Bytes(16))).error, 0);
  EXPECT_EQ(kernel.open().error, 0);
}

// Through libfuse, which no exception may unwind.
TEST_F(SessionTest, MemoryThatRunsOutInARequest_FailsThatRequestAlone) {
  uint64_t file = kernel.open_file();
  for (size_t spared = 0; spared < 30; ++spared) {
    SCOPED_TRACE(spared);
    FailingMemory memory(FailingMemory::On::other_threads, FailingMemory::For::for_ever, spared);
    int error = kernel.write(file, get_random(4)).error;
    memory.end();

    EXPECT_TRUE(error == 0 || error == ENOMEM) << error;
    kernel.read(file);
    EXPECT_EQ(kernel.write(file, get_random(4)).error, 0);
    EXPECT_FALSE(kernel.read(file).body.empty());
  }
}

TEST_F(SessionTest, MemoryThatRunsOutInAnOpen_FailsItAndLeavesTheNodeFree) {
  FailingMemory memory(FailingMemory::On::other_threads, FailingMemory::For::for_ever, 0);
  int error = kernel.open().error;
  memory.end();

  EXPECT_EQ(error, ENOMEM);
  EXPECT_EQ(kernel.open().error, 0);
}

// Ending is by a signal to the serving threads, which may not have begun to serve.
TEST(SessionStart, StoppedAtOnceManyTimes_EndsEveryTime) {
  for (int i = 0; i < 300; ++i) {
    MemoryStore store;
    FakeEngine engine(store);
    WiredTpm wired(engine, store);
    wired.session->stop();
  }
}

TEST(SessionStart, ChannelThatEndsBeforeTheHandshake_IsAnError) {
  WireKernel kernel;
  FileDescriptor channel = kernel.take_channel();
  kernel.close_channel();
  EXPECT_FALSE(CreatedChannel::create(std::move(channel), {"vtpm0", 0, 0}));
}

}  // namespace
}  // namespace vtpm
