// Power cycles, hierarchies that end, and the raw node beside spaces, on the real TPM 2.0.
#include <gmock/gmock.h>

#include "tests/contract/resource_manager_fixture.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr ResponseCode kUnknownHandle{0x000B0910};

class ManagedPower : public ManagedTpm {
 protected:
  std::vector<uint32_t> keys_of(SpaceClient& client) {
    return listed_handles(client.must(get_handles(0x80000000)));
  }
  SpaceClient raw_{manager_.raw()};
};

TEST_F(ManagedPower, Reset_EndsAll) {
  SpaceClient client = open();
  uint32_t session = client.make(start_session());
  for (uint8_t which = 0; which < 5; ++which) {
    client.make(make_key(which, kOwnerHierarchy));
  }

  power_cycle(StartupType::clear);

  EXPECT_EQ(client.code(use_key(0x80000000)), kUnknownHandle);
  EXPECT_EQ(client.code(policy_get_digest(session)), kUnknownHandle);
  EXPECT_THAT(keys_of(client), IsEmpty());
  EXPECT_EQ(manager_.snapshot().front().objects, 0u);
}

TEST_F(ManagedPower, HandlesOfBeforeAReset_DoNotTouchWhatTheRawNodeHasNow) {
  SpaceClient client = open();
  client.make(make_key(1));
  uint32_t session = client.make(start_session());
  power_cycle(StartupType::clear);
  uint32_t raw_key = raw_.make(make_key(9));
  uint32_t raw_session = raw_.make(start_session());
  ASSERT_EQ(raw_session, session);

  client.code(flush_context(session));
  client.close();

  EXPECT_EQ(raw_.code(use_key(raw_key)), rc::success);
  EXPECT_EQ(raw_.code(policy_get_digest(raw_session)), rc::success);
}

TEST_F(ManagedPower, ResumeAfterAShutdownByAClient_KeepsAll) {
  SpaceClient client = open();
  uint32_t session = client.make(start_session());
  std::vector<Bytes> before;
  for (uint8_t which = 0; which < 5; ++which) {
    before.push_back(client.must(use_key(client.make(make_key(which, kOwnerHierarchy)))));
  }
  client.must(shutdown_command(ShutdownType::state));

  power_cycle(StartupType::state);

  std::vector<Bytes> after;
  for (uint32_t key : keys_of(client)) {
    after.push_back(client.must(use_key(key)));
  }
  EXPECT_EQ(after, before);
  EXPECT_EQ(client.code(policy_get_digest(session)), rc::success);
}

TEST_F(ManagedPower, ResumeWithoutAWordToSpaces_KeepsWhatWasSavedOut) {
  SpaceClient client = open();
  for (uint8_t which = 0; which < 5; ++which) {
    client.make(make_key(which, kOwnerHierarchy));
  }
  tpm_.must(shutdown_command(ShutdownType::state));

  power_cycle(StartupType::state);

  EXPECT_EQ(client.code(use_key(0x80000000)), rc::success);
  EXPECT_EQ(client.code(use_key(0x80000004)), kUnknownHandle);
}

TEST_F(ManagedPower, TpmThatIsNotStarted_SaysSoAndTakesAStartup) {
  SpaceClient client = open();
  client.make(make_key(1));
  engine_->power_off();
  must(engine_->power_on(StoredVolatile::keep).map([](PoweredOn) {}));
  manager_.power_changed();

  EXPECT_EQ(client.code(get_random(8)), rc::initialize);
  EXPECT_EQ(client.code(tpm2_startup()), rc::success);
  EXPECT_EQ(client.code(get_random(8)), rc::success);
}

TEST_F(ManagedPower, ForgetAll_EndsAllWithoutAWordToTheTpm) {
  SpaceClient client = open();
  client.make(make_key(1));
  client.make(start_session());
  count_.commands.clear();

  manager_.forget_all();

  EXPECT_THAT(count_.commands, IsEmpty());
  EXPECT_THAT(keys_of(client), IsEmpty());
}

TEST_F(ManagedPower, ClearByAClient_EndsTheOwnersKeysOfAll) {
  SpaceClient client = open();
  SpaceClient other = open();
  uint32_t owners = client.make(make_key(1, kOwnerHierarchy));
  uint32_t nulls = client.make(make_key(2));

  other.must(clear_tpm());

  EXPECT_EQ(client.code(use_key(owners)), kUnknownHandle);
  EXPECT_EQ(client.code(use_key(nulls)), rc::success);
  EXPECT_THAT(keys_of(client), ElementsAre(nulls));
}

TEST_F(ManagedPower, ClearByTheRawNode_EndsTheOwnersKeysOfAll) {
  SpaceClient client = open();
  uint32_t owners = client.make(make_key(1, kOwnerHierarchy));

  raw_.must(clear_tpm());

  EXPECT_EQ(client.code(use_key(owners)), kUnknownHandle);
  EXPECT_THAT(keys_of(client), IsEmpty());
}

TEST_F(ManagedPower, RawNode_SeesNothingThatSpacesHaveLoaded) {
  SpaceClient client = open();
  client.make(make_key(1));
  client.make(start_session());

  EXPECT_THAT(keys_of(raw_), IsEmpty());
  EXPECT_THAT(listed_handles(raw_.must(get_handles(0x02000000))), IsEmpty());
  EXPECT_EQ(client.code(use_key(0x80000000)), rc::success);
}

TEST_F(ManagedPower, RawNodeWithAllSlots_LeavesNoneUntilItFlushes) {
  SpaceClient client = open();
  uint32_t key = client.make(make_key(1));
  for (uint8_t which = 0; which < 3; ++which) {
    raw_.make(make_key(which));
  }

  EXPECT_EQ(client.code(make_key(2)), rc::object_memory);
  EXPECT_EQ(client.code(use_key(key)), layered(rc::object_memory));
  raw_.must(flush_context(0x80000001));

  EXPECT_EQ(client.code(use_key(key)), rc::success);
  EXPECT_THAT(keys_of(raw_), ElementsAre(0x80000000, 0x80000002));
}

TEST_F(ManagedPower, SessionThatTheRawNodeFlushed_IsGone) {
  SpaceClient client = open();
  uint32_t session = client.make(start_session());

  raw_.must(flush_context(session));

  EXPECT_EQ(client.code(policy_get_digest(session)), kUnknownHandle);
}

// Handles of objects and of sessions are counted alike, and mean nothing to one another.
TEST_F(ManagedPower, ObjectThatTheRawNodeLoadedOrFlushed_TakesNoSession) {
  SpaceClient client = open();
  uint32_t session = client.make(start_session());
  uint32_t object = raw_.make(make_key(1));
  ASSERT_EQ(object & 0xFFFFFF, session & 0xFFFFFF);
  Bytes saved = parameters_of(raw_.must(context_save(object)));

  raw_.must(flush_context(object));
  EXPECT_EQ(client.code(policy_get_digest(session)), rc::success);
  ASSERT_EQ(raw_.make(context_load(saved)), object);
  EXPECT_EQ(client.code(policy_get_digest(session)), rc::success);
}

TEST_F(ManagedPower, SessionSavedByTheRawNode_LoadsInASpace) {
  SpaceClient client = open();
  uint32_t session = raw_.make(start_session());
  Bytes saved = parameters_of(raw_.must(context_save(session)));

  EXPECT_EQ(client.make(context_load(saved)), session);
  EXPECT_EQ(client.code(policy_get_digest(session)), rc::success);
}

}  // namespace
}  // namespace vtpm
