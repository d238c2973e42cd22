// Memory that runs out in the middle of a request: the request fails with ENOMEM or is done, it is
// answered once, and neither its file, nor the node, nor the strand stays busy with it.
#include <gtest/gtest.h>
#include <poll.h>
#include <vtpm/ioctl.h>

#include "tests/support/failing_memory.h"
#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/recording_transport.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

const Opener kRoot{0, 0, 4711, true};

// More allocations than any of the requests makes.
constexpr size_t kMostAllocations = 60;

struct Shortage {
  size_t spared;
  FailingMemory::For how_long;
};

std::vector<Shortage> shortages() {
  std::vector<Shortage> all;
  for (size_t spared = 0; spared < kMostAllocations; ++spared) {
    all.push_back({spared, FailingMemory::For::once});
    all.push_back({spared, FailingMemory::For::for_ever});
  }
  return all;
}

// What a channel does with what a request throws.
template <class Request>
bool runs_short(Shortage shortage, Request request) {
  FailingMemory memory(FailingMemory::On::this_thread, shortage.how_long, shortage.spared);
  try {
    request();
  } catch (const std::bad_alloc&) {
  }
  memory.end();
  return memory.failed();
}

class OutOfMemory : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(wired.tpm.power_on());
    ASSERT_TRUE(wired.tpm.startup(StartupType::clear));
  }

  // Answered once, and with success or for want of memory.
  static void expect_answered(const RecordingTransport::Answer& answer) {
    EXPECT_EQ(answer.times, 1);
    EXPECT_TRUE(answer.error == 0 || answer.error == ENOMEM) << answer.error;
  }
  // One command and its response, as if nothing had been.
  void expect_usable(OpenFile& used) {
    transport.read(used);  // what there may be of a response
    EXPECT_EQ(transport.write(used, get_random(4)).error, 0);
    EXPECT_EQ(transport.read(used).bytes.size(), kHeaderSize + 2 + 4);
  }

  MemoryStore store;
  FakeEngine engine{store};
  WiredTpm wired{engine, store};
  RecordingTransport transport;
  std::shared_ptr<OpenFile> file = transport.open(wired.node, kRoot);
};

TEST_F(OutOfMemory, InAWrite_FailsItOrNotAndTheFileIsUsable) {
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    auto reply = transport.request<WriteReply>();
    Bytes command = get_random(4);

    runs_short(shortage, [&] { file->write(command, false, std::move(reply)); });

    expect_answered(transport.answer());
    expect_usable(*file);
  }
}

// Whoever was answered first waits in poll for a response, so there is one.
TEST_F(OutOfMemory, BehindAnAnsweredWrite_WakesThePollerAndTheFileIsUsable) {
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    file->poll({POLLIN, transport.waker()}, transport.request<PollReply>());
    int woken = transport.woken();
    auto reply = transport.request<WriteReply>();
    Bytes command = create_primary();

    runs_short(shortage, [&] { file->write(command, true, std::move(reply)); });

    expect_answered(transport.answer());
    EXPECT_GT(transport.woken(), woken);
    expect_usable(*file);
  }
}

TEST_F(OutOfMemory, InARead_FailsItOrNotAndTheFileIsUsable) {
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    transport.write(*file, get_random(4));
    auto reply = transport.request<ReadReply>();

    runs_short(shortage, [&] { file->read(4096, std::move(reply)); });

    expect_answered(transport.answer());
    expect_usable(*file);
  }
}

TEST_F(OutOfMemory, InAControlRequest_FailsItOrNotAndTheFileIsUsable) {
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    auto reply = transport.request<IoctlReply>();

    runs_short(shortage, [&] {
      file->ioctl({VTPM_GET_STATUS, {}, sizeof(vtpm_status)}, std::move(reply));
    });

    expect_answered(transport.answer());
    expect_usable(*file);
  }
}

TEST_F(OutOfMemory, InARequestForABlob_FailsItOrNotAndTheFileIsUsable) {
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    auto reply = transport.request<IoctlReply>();
    vtpm_get_state in{.req = {.state_flags = 0, .type = VTPM_BLOB_TYPE_PERMANENT, .offset = 0}};
    auto bytes = std::as_bytes(std::span(&in, 1));

    runs_short(shortage, [&] {
      file->ioctl({VTPM_GET_STATEBLOB, bytes, sizeof(in)}, std::move(reply));
    });

    expect_answered(transport.answer());
    transport.ioctl(*file, VTPM_GET_CAPABILITY, {}, sizeof(vtpm_capability));
    expect_usable(*file);
  }
}

TEST_F(OutOfMemory, InARelease_TheNodeIsFree) {
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    auto reply = transport.request<ReleaseReply>();

    runs_short(shortage, [&] { file->release(std::move(reply)); });

    EXPECT_EQ(transport.answer().times, 1);
    EXPECT_FALSE(wired.node.in_use());
    file = transport.open(wired.node, kRoot);
    expect_usable(*file);
  }
}

TEST_F(OutOfMemory, InAnOpen_TheNodeIsFreeOrOpen) {
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    transport.release(*file);
    file.reset();
    auto reply = transport.request<OpenReply>();

    runs_short(shortage, [&] { wired.node.open(kRoot, std::move(reply)); });

    expect_answered(transport.answer());
    EXPECT_EQ(wired.node.in_use(), transport.answer().file != nullptr);
    file = transport.answer().file ? transport.answer().file : transport.open(wired.node, kRoot);
  }
}

TEST_F(OutOfMemory, AtThePowerSwitch_TheNodeIsFreeAndTheNextOpenerHasATpm) {
  MemoryStore other_store;
  FakeEngine other_engine(other_store);
  WiredTpm switched(other_engine, other_store, {.power = PowerSwitch::at_open});
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    auto reply = transport.request<OpenReply>();
    runs_short(shortage, [&] { switched.node.open(kRoot, std::move(reply)); });
    expect_answered(transport.answer());
    auto opened = transport.answer().file;
    auto closing = transport.request<ReleaseReply>();

    runs_short(shortage, [&] { opened ? opened->release(std::move(closing)) : closing.done(); });

    EXPECT_EQ(transport.answer().times, 1);
    EXPECT_FALSE(switched.node.in_use());
    auto next = transport.open(switched.node, kRoot);
    EXPECT_EQ(switched.tpm.phase(), Phase::on);
    EXPECT_EQ(transport.write(*next, tpm2_startup()).error, 0);
    transport.release(*next);
  }
}

TEST_F(OutOfMemory, InALifeOnTheManagedNode_IsAnsweredAndLeavesNoSpace) {
  for (const Shortage& shortage : shortages()) {
    SCOPED_TRACE(shortage.spared);
    {
      RecordingTransport client;
      auto opening = client.request<OpenReply>();
      runs_short(shortage, [&] { wired.managed_node.open(kRoot, std::move(opening)); });
      expect_answered(client.answer());
      auto opened = client.answer().file;
      auto writing = client.request<WriteReply>();
      Bytes command = get_random(4);
      runs_short(shortage, [&] {
        opened ? opened->write(command, false, std::move(writing)) : writing.error(ENOMEM);
      });
      expect_answered(client.answer());
      auto closing = client.request<ReleaseReply>();
      runs_short(shortage, [&] { opened ? opened->release(std::move(closing)) : closing.done(); });
      EXPECT_EQ(client.answer().times, 1);
    }

    EXPECT_TRUE(wired.tpm.spaces().empty());
  }
}

// The tests above are of something.
TEST(FailingMemory, SparedAllocations_SucceedAndTheNextOneFails) {
  size_t made = 0;

  bool failed = runs_short({3, FailingMemory::For::once}, [&] {
    for (std::vector<std::unique_ptr<int>> kept(10); made < kept.size(); ++made) {
      kept[made] = std::make_unique<int>(1);
    }
  });

  EXPECT_TRUE(failed);
  EXPECT_EQ(made, 2u);  // and the vector
}

}  // namespace
}  // namespace vtpm
