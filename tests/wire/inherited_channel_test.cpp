// A channel that one session served and another goes on with: descriptor, terms and open files
// change hands, the kernel's side notices nothing.
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <poll.h>
#include <vtpm/ioctl.h>

#include <future>

#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

constexpr unsigned kReadable = POLLIN | POLLRDNORM;
constexpr unsigned kWritable = POLLOUT | POLLWRNORM;

// The successor has a node and a session of its own, on the same TPM.
class InheritedChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    must(wired.tpm.power_on());
    must(wired.tpm.startup(StartupType::clear));
    file = kernel.open_file();
  }
  void TearDown() override {
    if (successor) {
      successor->stop();
    }
  }

  // The first session serves no more; what comes now waits in the channel.
  void stop_first() { wired.session->stop(); }
  void begin_second() {
    const Channel& channel = wired.session->channel();
    auto inherited = must(InheritedChannel::adopt(must(channel.duplicate()), channel.terms()));
    successor = std::make_unique<CuseSession>(std::move(inherited), node);
    must(successor->restore_files(wired.session->save_files()));
    successor->serve([this] { channel_ended.set_value(); });
  }
  void hand_over() {
    stop_first();
    begin_second();
  }

  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  RawNode node{{wired.tpm,
                wired.queue,
                wired.control,
                wired.clock,
                PowerSwitch::independent,
                {.is_root = [](pid_t) { return true; }}}};
  WireKernel& kernel = wired.kernel;
  uint64_t file = 0;
  std::promise<void> channel_ended;
  std::unique_ptr<CuseSession> successor;
};

TEST_F(InheritedChannelTest, Terms_AreWhatTheHandshakeSettled) {
  ChannelTerms terms = wired.session->channel().terms();

  EXPECT_EQ(terms.major, 7u);
  EXPECT_EQ(terms.minor, 38u);
  EXPECT_GE(terms.max_write, 128u * 1024u);
  EXPECT_EQ(terms.flags & CUSE_UNRESTRICTED_IOCTL, 0u);
}

TEST_F(InheritedChannelTest, Terms_AreTheSameForWhoeverInherits) {
  hand_over();

  EXPECT_EQ(successor->channel().terms(), wired.session->channel().terms());
}

TEST_F(InheritedChannelTest, OpenFile_HasItsHandleAndItsResponse) {
  kernel.write(file, get_random(4));
  kernel.read(file, 10);

  hand_over();

  EXPECT_EQ(kernel.poll(file, kReadable | kWritable), kReadable);
  EXPECT_EQ(kernel.read(file).body, BigEndianWriter().u16(4).u32(0x01020304).take());
}

TEST_F(InheritedChannelTest, RequestsThatNobodyReadYet_AreServed) {
  stop_first();
  auto write = kernel.send_write(file, get_random(4));
  auto status = kernel.send_ioctl(file, VTPM_GET_CAPABILITY, {}, sizeof(vtpm_capability));
  auto second_open = kernel.send_open(O_RDWR, {});

  begin_second();

  EXPECT_EQ(kernel.wait(write).error, 0);
  EXPECT_EQ(kernel.wait(status).error, 0);
  EXPECT_EQ(kernel.wait(second_open).error, EBUSY);
  EXPECT_EQ(kernel.read(file).body.size(), kHeaderSize + 2 + 4);
}

// The kernel sends them anew, under numbers that only differ in one bit.
TEST_F(InheritedChannelTest, RequestThatIsSentAgain_IsAnsweredUnderItsNewNumber) {
  stop_first();
  kernel.number_from(WireKernel::kResent | 100);
  auto again = kernel.send_write(file, get_random(4));
  kernel.number_from(102);

  begin_second();

  EXPECT_EQ(again, WireKernel::kResent | 100);
  EXPECT_EQ(kernel.wait(again).error, 0);
}

TEST_F(InheritedChannelTest, Release_FreesTheNodeForTheNextOpener) {
  hand_over();

  EXPECT_EQ(kernel.release(file).error, 0);

  uint64_t next = kernel.open_file();
  EXPECT_EQ(kernel.write(next, get_random(4)).error, 0);
}

TEST_F(InheritedChannelTest, NewFile_HasAHandleThatNoneHadBefore) {
  hand_over();
  kernel.release(file);

  EXPECT_NE(kernel.open_file(), file);
}

TEST_F(InheritedChannelTest, Poller_IsWokenByTheSecond) {
  hand_over();
  ASSERT_EQ(kernel.poll(file, kReadable, true), kWritable);

  kernel.write(file, get_random(4));

  kernel.wait_notification();
}

TEST_F(InheritedChannelTest, EndOfTheChannel_IsToldToTheSecond) {
  hand_over();

  kernel.close_channel();

  channel_ended.get_future().get();
}

TEST_F(InheritedChannelTest, MessagesLargerThanLibfuseReceives_AreUnsupported) {
  const Channel& channel = wired.session->channel();
  ChannelTerms terms = channel.terms();
  ++terms.max_write;

  auto inherited = InheritedChannel::adopt(must(channel.duplicate()), terms);

  ASSERT_FALSE(inherited);
  EXPECT_EQ(inherited.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace vtpm
