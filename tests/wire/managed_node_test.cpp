// The managed node: the contract of the raw one, for any number of openers, beside it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <vtpm/ioctl.h>

#include "engine/tpm/libtpms_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/space_commands.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr unsigned kReadable = POLLIN | POLLRDNORM;
constexpr unsigned kWritable = POLLOUT | POLLWRNORM;
constexpr unsigned kBoth = kReadable | kWritable;
constexpr uint32_t kFirstObject = 0x80000000;
constexpr ResponseCode kUnknownHandle{0x000B0910};

class ManagedNodeTest : public testing::Test {
 protected:
  void SetUp() override {
    must(wired.tpm.power_on());
    must(wired.tpm.startup(StartupType::clear));
    file = kernel.open_file();
  }

  Bytes send(uint64_t to, ByteView command) {
    EXPECT_EQ(kernel.write(to, command).error, 0);
    return kernel.read(to).body;
  }
  std::vector<uint32_t> keys_of(uint64_t of) {
    return listed_handles(send(of, get_handles(kFirstObject)));
  }

  MemoryStore store;
  std::unique_ptr<LibtpmsEngine> engine = *LibtpmsEngine::create({}, store);
  WiredTpm wired{*engine, store};
  WireKernel& kernel = wired.managed_kernel;
  uint64_t file = 0;
};

TEST_F(ManagedNodeTest, Open_ManyTimesAndTheRawNodeBeside_Succeeds) {
  EXPECT_EQ(wired.kernel.open().error, 0);
  EXPECT_EQ(kernel.open().error, 0);
  EXPECT_EQ(kernel.open(O_WRONLY, {.uid = 1000}).error, 0);
}

TEST_F(ManagedNodeTest, Open_ForReadingOnly_IsDeniedWhoeverAsks) {
  EXPECT_EQ(kernel.open(O_RDONLY).error, EACCES);
  EXPECT_EQ(kernel.open(O_RDONLY | O_NONBLOCK, {.uid = 1000}).error, EACCES);
}

TEST_F(ManagedNodeTest, OpenAndRelease_WithoutPower_GiveNone) {
  wired.tpm.power_off();
  uint64_t another = kernel.open_file();

  EXPECT_EQ(response_code(send(another, get_random(4))), rc::failure);
  EXPECT_EQ(kernel.release(another).error, 0);
  EXPECT_EQ(wired.tpm.phase(), Phase::off);
}

TEST_F(ManagedNodeTest, Requests_KeepTheContractOfTheRawNode) {
  EXPECT_EQ(kernel.poll(file, kBoth), kWritable);
  EXPECT_EQ(kernel.write(file, Bytes(5)).error, EINVAL);
  EXPECT_EQ(kernel.write(file, Bytes(4097)).error, E2BIG);
  EXPECT_EQ(kernel.write(file, Bytes(12)).error, ENODATA);
  EXPECT_TRUE(kernel.read(file).body.empty());
  EXPECT_EQ(kernel.write(file, get_random(4)).error, 0);
  EXPECT_EQ(kernel.poll(file, kBoth), kReadable);
  EXPECT_EQ(kernel.write(file, get_random(4)).error, EBUSY);
  EXPECT_EQ(kernel.read(file, 10).body.size(), 10u);
  EXPECT_EQ(kernel.read(file).body.size(), 6u);
}

TEST_F(ManagedNodeTest, ResponseThatNobodyReads_IsDiscardedWhenItsTimeIsOver) {
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  wired.clock.advance(kResponseTimeout);

  EXPECT_EQ(kernel.poll(file, kBoth), kWritable);
}

TEST_F(ManagedNodeTest, EveryIoctl_IsRefused) {
  EXPECT_EQ(kernel.ioctl(file, VTPM_GET_CAPABILITY, {}, 8).error, ENOTTY);
  EXPECT_EQ(kernel.ioctl(file, VTPM_STOP, {}, 4).error, ENOTTY);
  EXPECT_EQ(kernel.ioctl(file, 0x5401, {}, 0).error, ENOTTY);
  EXPECT_EQ(wired.tpm.phase(), Phase::on);
}

TEST_F(ManagedNodeTest, ObjectsOfAnOpener_AreNobodyElses) {
  uint64_t another = kernel.open_file();
  ASSERT_EQ(returned_handle(send(file, make_key(1))), kFirstObject);

  EXPECT_EQ(response_code(send(another, read_public(kFirstObject))), kUnknownHandle);
  EXPECT_THAT(keys_of(another), IsEmpty());
  EXPECT_THAT(keys_of(file), ElementsAre(kFirstObject));
}

TEST_F(ManagedNodeTest, FlushOfAnObjectThatIsNotThere_IsInvalidAsOnTheKernelsNode) {
  EXPECT_EQ(kernel.write(file, flush_context(0x80123456)).error, EINVAL);

  EXPECT_EQ(kernel.poll(file, kBoth), kWritable);
  EXPECT_EQ(response_code(send(file, flush_context(0x02000000))), ResponseCode{0x000B01CB});
}

TEST_F(ManagedNodeTest, Release_FlushesWhatWasLeft) {
  ASSERT_EQ(returned_handle(send(file, make_key(1))), kFirstObject);

  ASSERT_EQ(kernel.release(file).error, 0);

  EXPECT_THAT(listed_handles(wired.tpm.execute(get_handles(kFirstObject))), IsEmpty());
  EXPECT_THAT(wired.tpm.spaces(), IsEmpty());
}

TEST_F(ManagedNodeTest, ReleaseBeforeTheResponseIsRead_FlushesItsObject) {
  ASSERT_EQ(kernel.write(file, make_key(1)).error, 0);

  ASSERT_EQ(kernel.release(file).error, 0);

  EXPECT_THAT(listed_handles(wired.tpm.execute(get_handles(kFirstObject))), IsEmpty());
}

TEST_F(ManagedNodeTest, Status_TellsWhoHasASpace) {
  uint64_t another = kernel.open_file(O_RDWR, {.uid = 1000, .pid = 815});
  send(another, get_random(4));
  send(file, get_random(4));

  auto spaces = wired.tpm.spaces();

  ASSERT_EQ(spaces.size(), 2u);
  EXPECT_EQ(spaces.at(1).peer.uid, 1000u);
  EXPECT_EQ(spaces.at(1).commands, 1u);
}

TEST_F(ManagedNodeTest, RestoredFile_HasItsResponseAndAnEmptySpace) {
  ASSERT_EQ(returned_handle(send(file, make_key(1))), kFirstObject);
  ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
  ASSERT_EQ(kernel.poll(file, kBoth), kReadable);
  wired.managed_session->stop();
  auto saved = wired.managed_session->save_files();

  auto again = must(wired.managed_node.restore(saved.at(0).file.get()));

  EXPECT_EQ(std::dynamic_pointer_cast<ControlledFile>(again)->state().response.rest().size(), 16u);
  EXPECT_EQ(wired.managed_node.restore({}).error().code, Errc::corrupt);
  EXPECT_EQ(wired.node.restore(saved.at(0).file.get()).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace vtpm
