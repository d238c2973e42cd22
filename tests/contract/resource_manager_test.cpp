// The resource manager on the real TPM 2.0.
#include "engine/resource_manager/resource_manager.h"

#include <gmock/gmock.h>

#include <set>

#include "tests/contract/resource_manager_fixture.h"

namespace vtpm {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr ResponseCode layered_reference_h0{0x000B0910};

TEST_F(ManagedTpm, TwentyKeysOfOneClient_AreAllUsable) {
  SpaceClient client = open();
  std::vector<uint32_t> keys;
  std::vector<Bytes> results;
  for (uint8_t which = 0; which < 20; ++which) {
    keys.push_back(client.make(make_key(which)));
    results.push_back(client.must(use_key(keys.back())));
  }

  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(client.must(use_key(keys[i])), results[i]);
  }
  EXPECT_EQ(keys.front(), 0x80000000);
  EXPECT_EQ(keys.back(), 0x80000013);
}

TEST_F(ManagedTpm, OneKeyAndOneSession_CostOneCommandEach) {
  SpaceClient client = open();
  uint32_t key = client.make(make_key(1));
  uint32_t session = client.make(start_session());
  count_.commands.clear();

  client.must(use_key(key));
  client.must(policy_get_digest(session));

  EXPECT_THAT(count_.commands, SizeIs(2));
}

TEST_F(ManagedTpm, TreeOfAParentAndTwentyChildren_IsLoadedAndUsed) {
  SpaceClient client = open();
  uint32_t parent = client.make(make_parent());
  std::vector<uint32_t> children;
  for (uint8_t which = 0; which < 20; ++which) {
    children.push_back(client.make(load_child(parent, client.must(create_child(parent, which)))));
  }

  for (uint32_t child : children) {
    EXPECT_EQ(client.code(use_key(child)), rc::success);
  }
}

TEST_F(ManagedTpm, SequencesThatTakeTurns_KeepTheirStates) {
  SpaceClient client = open();
  std::vector<uint32_t> sequences;
  for (int i = 0; i < 6; ++i) {
    sequences.push_back(client.make(start_sequence()));
  }

  for (std::string_view part : {"one", "two", "three"}) {
    for (uint32_t sequence : sequences) {
      client.must(update_sequence(sequence, part));
    }
  }

  Bytes alone = client.must(complete_sequence(client.make(start_sequence()), "onetwothree"));
  for (uint32_t sequence : sequences) {
    EXPECT_EQ(client.must(complete_sequence(sequence)), alone);
  }
  EXPECT_THAT(listed_handles(client.must(get_handles(0x80000000))), IsEmpty());
}

TEST_F(ManagedTpm, SessionsThatTakeTurns_KeepTheirStates) {
  SpaceClient client = open();
  std::vector<uint32_t> sessions;
  for (int i = 0; i < 8; ++i) {
    sessions.push_back(client.make(start_session()));
  }
  for (uint32_t i = 0; i < sessions.size(); ++i) {
    client.must(policy_command_code(sessions[i], 0x169 + i));
  }

  std::set<Bytes> digests;
  for (uint32_t session : sessions) {
    digests.insert(client.must(policy_get_digest(session)));
  }

  EXPECT_THAT(digests, SizeIs(8));
}

TEST_F(ManagedTpm, EveryHandleOfAnother_IsUnknown) {
  SpaceClient owner = open();
  SpaceClient other = open();
  for (uint8_t which = 0; which < 5; ++which) {
    owner.make(make_key(which));
    owner.make(start_session());
  }

  for (uint32_t first : {0x80000000U, 0x02000000U, 0x03000000U, 0x80FFFF00U}) {
    for (uint32_t handle = first; handle < first + 0x100; ++handle) {
      EXPECT_EQ(other.code(read_public(handle)), layered_reference_h0);
      EXPECT_EQ(other.code(use_key(handle)), layered_reference_h0);
      EXPECT_EQ(other.code(policy_get_digest(handle)), layered_reference_h0);
      EXPECT_EQ(other.code(context_save(handle)), layered_reference_h0);
      EXPECT_EQ(other.code(flush_context(handle)), layered(rc::parameter_handle));
    }
  }
}

TEST_F(ManagedTpm, ClosedSpace_LeavesNothingInTheTpm) {
  SpaceClient client = open();
  for (uint8_t which = 0; which < 5; ++which) {
    client.make(make_key(which));
    client.make(start_session());
  }

  client.close();

  EXPECT_THAT(in_tpm(0x80000000), IsEmpty());
  EXPECT_THAT(in_tpm(0x02000000), IsEmpty());
  EXPECT_THAT(in_tpm(0x03000000), IsEmpty());
}

}  // namespace
}  // namespace vtpm
