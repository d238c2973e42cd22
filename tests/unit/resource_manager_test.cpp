// What the resource manager sends to the TPM and what it does not, on a TPM that computes nothing.
// What it does on a real one is in tests/contract.
#include "engine/resource_manager/resource_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/commands.h"
#include "tests/support/counting_port.h"
#include "tests/support/space_client.h"
#include "tests/support/tpm_double.h"
#include "tests/support/wiped_memory.h"

namespace vtpm {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

// Lets a test answer in the TPM's place.
class Interposed final : public CommandPort {
 public:
  explicit Interposed(CommandPort& next) : next_(next) {}
  Bytes transmit(const Command& command, const Ticket& ticket) override {
    canceled.push_back(ticket.canceled);
    if (command.code() == refused && refusals > 0) {
      --refusals;
      return error_response(TpmVersion::tpm20, answer);
    }
    return next_.transmit(command, ticket);
  }

  CommandCode refused{};
  int refusals = 1000000;
  ResponseCode answer{};
  std::vector<bool> canceled;

 private:
  CommandPort& next_;
};

class Managed : public testing::Test {
 protected:
  explicit Managed(TpmDouble::Sizes sizes = {}, ResourceManagerOptions options = {})
      : double_(sizes), manager_(count_, options) {}

  SpaceClient open(SpaceOwner peer = {.pid = 1, .uid = 1}) {
    SpaceClient client(manager_.open_space(peer));
    client.must(get_random(8));  // what is asked once for each power-on has been asked
    count_.commands.clear();
    return client;
  }
  void make_keys(SpaceClient& client, uint8_t count) {
    for (uint8_t which = 0; which < count; ++which) {
      client.must(make_key(which));
    }
  }

  TpmDouble double_;
  Interposed between_{double_};
  CountingPort count_{between_};
  ResourceManager manager_;
};

// -- What never reaches the TPM --

TEST_F(Managed, UnknownCommand_IsAnsweredHere) {
  SpaceClient client = open();

  EXPECT_EQ(client.code(tpm2_command(CommandCode{0x1FF})), ResponseCode{0x000B0143});
  EXPECT_THAT(count_.commands, IsEmpty());
}

TEST_F(Managed, CommandWithoutItsHandles_IsAnsweredHere) {
  SpaceClient client = open();

  EXPECT_EQ(client.code(tpm2_command(cc::hmac)), ResponseCode{0x000B019A});
  EXPECT_EQ(client.code(tpm2_command(cc::evict_control, u32_bytes(kOwnerHierarchy))),
            ResponseCode{0x000B029A});
  EXPECT_THAT(count_.commands, IsEmpty());
}

TEST_F(Managed, CommandShorterThanItSays_IsAnsweredHere) {
  SpaceClient client = open();
  Bytes command = get_random(8);
  command.pop_back();

  EXPECT_EQ(client.code(command), ResponseCode{0x000B0142});
  EXPECT_THAT(count_.commands, IsEmpty());
}

TEST_F(Managed, BytesBehindTheCommand_AreNotSent) {
  SpaceClient client = open();
  Bytes command = get_random(8);
  command.push_back(std::byte{1});

  EXPECT_EQ(client.code(command), rc::success);
}

TEST_F(Managed, SessionAreaThatDoesNotFit_IsAnsweredHere) {
  SpaceClient client = open();
  uint32_t key = client.make(make_key(1));
  Bytes command = use_key(key);
  command.at(17) = std::byte{8};  // of the session area's 9 bytes
  count_.commands.clear();

  EXPECT_EQ(client.code(command), ResponseCode{0x000B0144});
  EXPECT_THAT(count_.commands, IsEmpty());
}

TEST_F(Managed, FourSessions_AreAnsweredHere) {
  SpaceClient client = open();
  Bytes session = hex("40000009 0000 00 0000");
  Bytes four = BigEndianWriter()
                   .u32(kOwnerHierarchy)
                   .u32(36)
                   .bytes(session)
                   .bytes(session)
                   .bytes(session)
                   .bytes(session)
                   .take();
  Bytes command = tpm2_command(cc::create_primary, four);
  command.at(1) = std::byte{2};

  EXPECT_EQ(client.code(command), ResponseCode{0x000B0144});
}

TEST_F(Managed, FlushOfWhatIsSavedOut_CostsNothing) {
  SpaceClient client = open();
  make_keys(client, 4);
  count_.commands.clear();

  EXPECT_EQ(client.code(flush_context(0x80000000)), rc::success);
  EXPECT_THAT(count_.commands, IsEmpty());
}

TEST_F(Managed, ParkedSession_IsLoadedWithoutACommand) {
  SpaceClient client = open();
  Bytes saved = parameters_of(client.must(context_save(client.make(start_session()))));
  count_.commands.clear();

  EXPECT_EQ(client.code(context_load(saved)), rc::success);
  EXPECT_THAT(count_.commands, IsEmpty());
}

TEST_F(Managed, SessionSavedTwiceWithoutUse_GetsOtherBytes) {
  SpaceClient client = open();
  Bytes first = parameters_of(client.must(context_save(client.make(start_session()))));
  uint32_t session = client.make(context_load(first));
  Bytes second = parameters_of(client.must(context_save(session)));

  EXPECT_NE(first, second);
  EXPECT_EQ(client.code(context_load(first)), layered(rc::parameter_handle));
  EXPECT_EQ(client.code(context_load(second)), rc::success);
}

// -- Who leaves, and at what price --

TEST_F(Managed, FourthKey_SendsTheOldestOut) {
  SpaceClient client = open();
  make_keys(client, 3);
  client.must(use_key(0x80000000));
  count_.commands.clear();

  client.must(make_key(3));

  EXPECT_THAT(count_.commands, ElementsAre(cc::create_primary, cc::context_save, cc::flush_context,
                                           cc::create_primary));
  count_.commands.clear();
  client.must(use_key(0x80000000));  // it was used since, and has stayed
  EXPECT_THAT(count_.commands, SizeIs(1));
}

TEST_F(Managed, KeyThatLeavesAgain_IsNotSavedAgain) {
  SpaceClient client = open();
  make_keys(client, 4);
  for (uint32_t key = 0x80000000; key < 0x80000004; ++key) {
    client.must(use_key(key));
  }
  count_.commands.clear();

  client.must(use_key(0x80000000));

  EXPECT_THAT(count_.commands, ElementsAre(cc::flush_context, cc::context_load, cc::hmac));
}

TEST_F(Managed, SequenceThatWasUsed_IsSavedAgain) {
  SpaceClient client = open();
  uint32_t sequence = client.make(start_sequence());
  make_keys(client, 3);
  client.must(update_sequence(sequence, "x"));
  count_.commands.clear();

  make_keys(client, 3);

  EXPECT_THAT(count_.commands, Contains(cc::context_save));
}

TEST_F(Managed, KeysOfOtherSpaces_LeaveFirst) {
  SpaceClient other = open();
  SpaceClient client = open();
  make_keys(client, 2);
  uint32_t others = other.make(make_key(9));
  count_.commands.clear();

  client.must(make_key(2));
  count_.commands.clear();
  client.must(use_key(0x80000000));

  EXPECT_THAT(count_.commands, SizeIs(1));
  EXPECT_EQ(other.code(use_key(others)), rc::success);
}

TEST_F(Managed, NamedObjects_NeverLeave) {
  SpaceClient client = open();
  make_keys(client, 4);

  EXPECT_EQ(client.code(tpm2_command(cc::load, u32_bytes(0x80000000))), rc::success);
  EXPECT_EQ(client.code(use_key(0x80000004)), rc::success);
}

TEST_F(Managed, RawCommand_CostsNothingWhileNothingIsLoaded) {
  SpaceClient client = open();
  SpaceClient raw(manager_.raw());

  raw.must(get_random(8));

  EXPECT_THAT(count_.commands, SizeIs(1));
}

// -- Failures --

TEST_F(Managed, LoadThatIsRefusedForAMoment_LosesNothing) {
  SpaceClient client = open();
  make_keys(client, 4);
  between_.refused = cc::context_load;
  between_.answer = rc::retry;
  between_.refusals = 1;

  EXPECT_EQ(client.code(use_key(0x80000000)), rc::retry);
  EXPECT_EQ(client.code(use_key(0x80000000)), rc::success);
}

TEST_F(Managed, SaveThatIsRefused_LosesNothing) {
  SpaceClient client = open();
  make_keys(client, 3);
  between_.refused = cc::context_save;
  between_.answer = rc::retry;

  EXPECT_EQ(client.code(make_key(4)), rc::object_memory);
  between_.refusals = 0;

  EXPECT_EQ(client.code(make_key(4)), rc::success);
  EXPECT_EQ(client.code(use_key(0x80000000)), rc::success);
}

TEST_F(Managed, ContextThatTheTpmDoesNotTake_IsTheEndOfItsObject) {
  SpaceClient client = open();
  make_keys(client, 4);
  between_.refused = cc::context_load;
  between_.answer = ResponseCode{0x1DF};

  EXPECT_EQ(client.code(use_key(0x80000000)), ResponseCode{0x000B0910});
  EXPECT_THAT(listed_handles(client.must(get_handles(0x80000000))),
              ElementsAre(0x80000001, 0x80000002, 0x80000003));
}

TEST_F(Managed, SpaceClosedWhileTheTpmDoesNotFlush_IsFlushedLater) {
  SpaceClient client = open();
  make_keys(client, 2);
  client.must(start_session());
  between_.refused = cc::flush_context;
  between_.answer = rc::retry;
  client.close();
  ASSERT_EQ(double_.loaded_objects(), 2u);
  between_.refusals = 0;

  SpaceClient another = open();

  EXPECT_EQ(double_.loaded_objects(), 0u);
  EXPECT_EQ(double_.active_sessions(), 0u);
}

TEST_F(Managed, TpmThatNeverHasRoom_IsNotAskedForEver) {
  SpaceClient client = open();
  between_.refused = cc::get_random;
  between_.answer = rc::context_gap;

  EXPECT_EQ(client.code(get_random(8)), ResponseCode{0x000B0903});
  EXPECT_THAT(count_.commands, SizeIs(testing::Lt(200u)));
}

TEST_F(Managed, Cancel_IsForTheClientsCommandAlone) {
  SpaceClient client = open();
  make_keys(client, 4);
  between_.canceled.clear();
  std::atomic<bool> canceled = true;
  auto space = manager_.open_space({});
  Bytes command = make_key(5);

  space->transmit(Command(command), {.locality = Locality{}, .canceled = canceled});

  // The command, a flush or a save of another's, the command again.
  EXPECT_THAT(between_.canceled, Contains(false));
  EXPECT_TRUE(between_.canceled.front());
  EXPECT_TRUE(between_.canceled.back());
}

// -- What is kept of a space --

TEST_F(Managed, ContextsOfAClosedSpace_AreWiped) {
  constexpr size_t kContext = 42;
  SpaceClient client = open();
  make_keys(client, 4);
  WipedMemory wiped;

  client.close();

  EXPECT_THAT(wiped.ranges(), Contains(Field("size", &WipedMemory::Range::size, kContext)));
}

TEST_F(Managed, Snapshot_TellsWhoHasWhat) {
  SpaceClient first = open({.pid = 11, .uid = 1});
  SpaceClient second = open({.pid = 12, .uid = 2});
  make_keys(second, 4);
  second.must(start_session());

  EXPECT_THAT(
      manager_.snapshot(),
      ElementsAre(
          SpaceStatus{.id = 1, .peer = {11, 1}, .objects = 0, .sessions = 0, .commands = 1},
          SpaceStatus{.id = 2, .peer = {12, 2}, .objects = 4, .sessions = 1, .commands = 6}));
  first.close();
  EXPECT_THAT(manager_.snapshot(), SizeIs(1));
}

// -- The context gap --

class SmallGap : public Managed {
 protected:
  SmallGap() : Managed({.context_gap = 16}) {}
};

TEST_F(SmallGap, IdleSessionsAndParkedOnes_OutliveAThousandCommandsOfOthers) {
  SpaceClient idle = open();
  uint32_t session = idle.make(start_session());
  Bytes parked = parameters_of(idle.must(context_save(idle.make(start_session()))));
  std::vector<std::pair<SpaceClient, uint32_t>> busy;
  for (int i = 0; i < 4; ++i) {
    SpaceClient client = open();
    uint32_t theirs = client.make(start_session());
    busy.emplace_back(std::move(client), theirs);
  }

  for (size_t i = 0; i < 1000; ++i) {
    auto& [client, theirs] = busy[i % busy.size()];
    ASSERT_EQ(client.code(policy_command_code(theirs, 1)), rc::success);
  }

  EXPECT_EQ(idle.code(policy_get_digest(session)), rc::success);
  EXPECT_EQ(idle.code(context_load(parked)), rc::success);
}

// -- Totals --

class FewForAll : public Managed {
 protected:
  FewForAll() : Managed({}, {.objects = 10, .kept_objects = 4}) {}
};

TEST_F(FewForAll, ObjectsOfAll_AreBoundedAndTheLastOnesAreForWhoHasFew) {
  SpaceClient hoarder = open({.pid = 1, .uid = 1});
  SpaceClient modest = open({.pid = 2, .uid = 1});
  make_keys(hoarder, 6);

  EXPECT_EQ(hoarder.code(make_key(6)), ResponseCode{0x000B0902});
  EXPECT_EQ(modest.code(make_key(7)), rc::success);
}

}  // namespace
}  // namespace vtpm
