// What a space is told and may have, the context gap, and what it all costs, on the real TPM 2.0.
#include <gmock/gmock.h>

#include <cstdio>

#include "engine/resource_manager/capabilities.h"
#include "tests/contract/resource_manager_fixture.h"
#include "tests/support/hmac_session.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr ResponseCode kNoMoreObjects{0x000B0902};
constexpr ResponseCode kNoMoreSessions{0x000B0903};

class ManagedLimits : public ManagedTpm {
 protected:
  uint32_t told(SpaceClient& client, uint32_t property) {
    return property_value(client.must(get_capability(capability::kTpmProperties, property, 1)));
  }
  // As many sessions as each of them may have.
  std::vector<SpaceClient> hoarders(int count) {
    std::vector<SpaceClient> all;
    for (int i = 0; i < count; ++i) {
      all.push_back(open({.pid = 200 + i, .uid = 2000}));
      while (all.back().code(start_session()) == rc::success) {
      }
    }
    return all;
  }
};

TEST_F(ManagedLimits, Handles_AreTheSpacesOwnSortedAndCut) {
  SpaceClient other = open();
  other.make(make_key(50));
  SpaceClient client = open();
  for (uint8_t which = 0; which < 6; ++which) {
    client.make(make_key(which));
  }
  client.must(flush_context(0x80000002));

  Bytes all = client.must(get_handles(0x80000000));
  Bytes some = client.must(get_handles(0x80000001, 3));

  EXPECT_THAT(listed_handles(all),
              ElementsAre(0x80000000, 0x80000001, 0x80000003, 0x80000004, 0x80000005));
  EXPECT_FALSE(has_more(all));
  EXPECT_THAT(listed_handles(some), ElementsAre(0x80000001, 0x80000003, 0x80000004));
  EXPECT_TRUE(has_more(some));
}

TEST_F(ManagedLimits, Properties_TellWhatTheSpaceCanCountOn) {
  SpaceClient client = open();
  client.make(make_key(1));
  client.make(start_session());

  EXPECT_EQ(told(client, property::kTransientMin), 64u);
  EXPECT_EQ(told(client, property::kTransientAvailable), 63u);
  EXPECT_EQ(told(client, property::kLoaded), 1u);
  EXPECT_EQ(told(client, property::kLoadedAvailable), 7u);
  EXPECT_EQ(told(client, property::kActiveSessionsMax), 8u);
  EXPECT_EQ(told(client, property::kContextGapMax), 0xFFFFFFFFu);
}

TEST_F(ManagedLimits, QuestionAboutHandlesUnderASession_IsRefused) {
  SpaceClient client = open();

  EXPECT_EQ(client.code(tpm2_command_with_password(cc::get_capability, {},
                                                   hex("00000001 80000000 000000fe"))),
            layered(rc::auth_context));
}

TEST_F(ManagedLimits, ObjectBeyondTheLimit_IsRefusedAndNobodyLosesOne) {
  SpaceClient client = open();
  SpaceClient other = open();
  uint32_t others = other.make(make_key(200));
  for (uint8_t which = 0; which < 64; ++which) {
    client.make(make_key(which));
  }

  EXPECT_EQ(client.code(make_key(64)), kNoMoreObjects);
  EXPECT_EQ(client.code(start_sequence()), kNoMoreObjects);

  EXPECT_EQ(other.code(use_key(others)), rc::success);
  EXPECT_EQ(other.code(make_key(201)), rc::success);
  EXPECT_EQ(client.code(use_key(0x80000000)), rc::success);
}

TEST_F(ManagedLimits, SessionBeyondTheLimit_IsRefused) {
  SpaceClient client = open();
  for (int i = 0; i < 8; ++i) {
    client.make(start_session());
  }

  EXPECT_EQ(client.code(start_session()), kNoMoreSessions);
}

TEST_F(ManagedLimits, HoardersOfSessions_LeaveSomeForOthers) {
  std::vector<SpaceClient> hoarding = hoarders(8);
  SpaceClient client = open();

  EXPECT_EQ(client.code(start_session()), rc::success);
  EXPECT_EQ(client.code(start_session()), rc::success);
  EXPECT_EQ(client.code(start_session()), kNoMoreSessions);
}

TEST_F(ManagedLimits, HoardersOfSessions_LeaveSomeForTheRawNode) {
  std::vector<SpaceClient> hoarding = hoarders(40);
  SpaceClient raw(manager_.raw());

  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(raw.code(start_session()), rc::success);
  }
}

TEST_F(ManagedLimits, FiftyClientsBesideAHoarder_HaveASessionEach) {
  std::vector<SpaceClient> clients = hoarders(1);
  for (int i = 0; i < 50; ++i) {
    clients.push_back(open({.pid = 300 + i, .uid = 1000}));

    EXPECT_EQ(clients.back().code(start_session()), rc::success);
  }
}

TEST_F(ManagedLimits, SavedSessionsOfAHoarder_DoNotEndThoseOfAnotherUser) {
  SpaceClient client = open();
  Bytes saved = parameters_of(client.must(context_save(client.make(start_session()))));
  SpaceClient hoarder = open({.pid = 200, .uid = 2000});
  for (int i = 0; i < 100; ++i) {
    hoarder.must(context_save(hoarder.make(start_session())));
  }

  EXPECT_EQ(client.code(context_load(saved)), rc::success);
  EXPECT_THAT(in_tpm(0x03000000), testing::SizeIs(16));
}

TEST_F(ManagedLimits, FlushedAtTheEnd_EvenOfManySpaces) {
  hoarders(9).clear();

  EXPECT_THAT(in_tpm(0x02000000), IsEmpty());
  EXPECT_THAT(in_tpm(0x03000000), IsEmpty());
}

// Each command of one of four clients saves a session, and the TPM counts 65535 of them at most
// before it wants to see the oldest again.
TEST_F(ManagedLimits, IdleSession_OutlivesAHundredThousandCommandsOfOthers) {
  SpaceClient idle = open();
  uint32_t session = idle.make(start_session());
  idle.must(policy_command_code(session, 0x169));
  Bytes digest = idle.must(policy_get_digest(session));
  std::vector<SpaceClient> busy;
  std::vector<uint32_t> sessions;
  for (int i = 0; i < 4; ++i) {
    busy.push_back(open());
    sessions.push_back(busy.back().make(start_session()));
  }

  int failed = 0;
  for (size_t i = 0; i < 100000; ++i) {
    failed += busy[i % 4].code(policy_get_digest(sessions[i % 4])) == rc::success ? 0 : 1;
  }

  EXPECT_EQ(failed, 0);
  EXPECT_EQ(idle.must(policy_get_digest(session)), digest);
}

// -- Cost --

class ManagedCost : public ManagedTpm, public testing::WithParamInterface<size_t> {
 protected:
  struct Signer {
    SpaceClient client;
    uint32_t key;
    Bytes name;
    std::unique_ptr<HmacSession> session;

    void sign() {
      constexpr uint8_t kContinue = HmacSession::kContinue;
      session->check(client.must(session->use_key(key, name, "text", kContinue)), kContinue);
    }
  };
  Signer make_signer(size_t which) {
    Signer signer{.client = open(), .key = 0, .name = {}, .session = nullptr};
    signer.key = signer.client.make(make_key(static_cast<uint8_t>(which)));
    signer.name = name_of(signer.client, signer.key);
    signer.session = std::make_unique<HmacSession>(signer.client);
    return signer;
  }
  // TPM commands for each command of a client: clients take turns, each uses its key under its
  // session.
  double cost(size_t clients) {
    constexpr size_t kRounds = 50;
    std::vector<Signer> signers;
    for (size_t i = 0; i < clients; ++i) {
      signers.push_back(make_signer(i));
    }
    for (Signer& signer : signers) {
      signer.sign();  // everything has been out once
    }
    count_.commands.clear();
    for (size_t i = 0; i < clients * kRounds; ++i) {
      signers[i % clients].sign();
    }
    return static_cast<double>(count_.commands.size()) / static_cast<double>(clients * kRounds);
  }
};

constexpr double kOfTheKernel = 6;  // two loads, the command, two saves, a flush

TEST_P(ManagedCost, CommandsForEachCommand_AreFewerThanTheKernels) {
  double commands = cost(GetParam());

  std::printf("| %zu | %.2f | %.2f |\n", GetParam(), commands, kOfTheKernel);
  EXPECT_LE(commands, GetParam() <= 3 ? 1.0 : 5.1);
}

INSTANTIATE_TEST_SUITE_P(Clients, ManagedCost, testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace vtpm
