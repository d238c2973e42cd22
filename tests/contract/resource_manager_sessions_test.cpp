// Sessions and contexts that clients save, through the resource manager on the real TPM 2.0.
#include <gmock/gmock.h>

#include "tests/contract/resource_manager_fixture.h"
#include "tests/support/hmac_session.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr ResponseCode kUnknownHandle{0x000B0910};
constexpr ResponseCode kUnknownSession{0x000B0918};
constexpr ResponseCode kWrongParameter{0x000B01CB};

class ManagedSessions : public ManagedTpm {
 protected:
  // Everything that is loaded has to leave.
  void crowd() {
    SpaceClient crowd = open();
    for (uint8_t i = 0; i < 4; ++i) {
      crowd.make(make_key(static_cast<uint8_t>(100 + i)));
      crowd.make(start_session());
    }
  }
};

TEST_F(ManagedSessions, HmacAuditAndEncryption_HoldAcrossSwapping) {
  SpaceClient client = open();
  uint32_t key = client.make(make_key(1));
  Bytes name = name_of(client, key);
  Bytes plain = client.must(use_key(key, "secret"));
  HmacSession session(client);
  std::vector<Bytes> results;

  for (uint8_t attributes : std::initializer_list<uint8_t>{0x01, 0x21, 0x41, 0x81, 0xE1}) {
    crowd();
    Bytes response = client.must(session.use_key(key, name, "secret", attributes));
    results.push_back(session.check(response, attributes));
  }

  // The response to a password has the result behind the parameters' size.
  Bytes expected(plain.begin() + kHeaderSize + 6, plain.begin() + kHeaderSize + 6 + 32);
  EXPECT_THAT(results, testing::Each(expected));
}

TEST_F(ManagedSessions, SessionThatDoesNotContinue_IsGoneWithTheCommand) {
  SpaceClient client = open();
  uint32_t key = client.make(make_key(1));
  Bytes name = name_of(client, key);
  HmacSession session(client);

  client.must(session.use_key(key, name, "text", 0));

  EXPECT_EQ(client.code(session.use_key(key, name, "text", 0)), kUnknownSession);
  EXPECT_THAT(listed_handles(client.must(get_handles(0x02000000))), IsEmpty());
}

TEST_F(ManagedSessions, SessionOfACommandThatFails_Stays) {
  SpaceClient client = open();
  uint32_t key = client.make(make_key(1));
  HmacSession session(client);

  ASSERT_NE(client.code(session.use_key(key, as_bytes("wrong name"), "text", 0)), rc::success);

  EXPECT_THAT(listed_handles(client.must(get_handles(0x02000000))), ElementsAre(session.handle()));
}

TEST_F(ManagedSessions, SessionOfAnother_AuthorisesNothing) {
  SpaceClient owner = open();
  SpaceClient other = open();
  HmacSession session(owner);
  uint32_t key = other.make(make_key(1));
  Bytes name = name_of(other, key);

  EXPECT_EQ(other.code(session.use_key(key, name, "text", HmacSession::kContinue)),
            kUnknownSession);
}

TEST_F(ManagedSessions, SavedSession_LoadsInAnotherSpaceAfterItsOwnIsClosed) {
  SpaceClient first = open();
  uint32_t session = first.make(start_session());
  first.must(policy_command_code(session, 0x169));
  Bytes digest = first.must(policy_get_digest(session));
  Bytes saved = parameters_of(first.must(context_save(session)));
  first.close();
  crowd();

  SpaceClient second = open();
  EXPECT_EQ(second.make(context_load(saved)), session);
  EXPECT_EQ(second.must(policy_get_digest(session)), digest);
}

TEST_F(ManagedSessions, SavedSession_IsOutOfItsSpace) {
  SpaceClient client = open();
  uint32_t session = client.make(start_session());

  client.must(context_save(session));

  EXPECT_EQ(client.code(policy_get_digest(session)), kUnknownHandle);
  EXPECT_THAT(listed_handles(client.must(get_handles(0x02000000))), IsEmpty());
  EXPECT_THAT(listed_handles(client.must(get_handles(0x03000000))),
              ElementsAre(session & 0x02FFFFFF));
}

TEST_F(ManagedSessions, SavedSession_IsFlushedByWhoSavedItAndNobodyElse) {
  SpaceClient client = open();
  SpaceClient other = open();
  uint32_t session = client.make(start_session());
  Bytes saved = parameters_of(client.must(context_save(session)));

  EXPECT_EQ(other.code(flush_context(session)), kWrongParameter);
  EXPECT_EQ(client.code(flush_context(session)), rc::success);
  EXPECT_NE(client.code(context_load(saved)), rc::success);
  EXPECT_THAT(in_tpm(0x03000000), IsEmpty());
}

TEST_F(ManagedSessions, BytesOfASessionThatIsInUse_LoadNothing) {
  SpaceClient client = open();
  SpaceClient other = open();
  uint32_t session = client.make(start_session());
  Bytes saved = parameters_of(client.must(context_save(session)));
  client.must(context_load(saved));

  EXPECT_EQ(other.code(context_load(saved)), kWrongParameter);
  EXPECT_EQ(client.code(policy_get_digest(session)), rc::success);
}

TEST_F(ManagedSessions, SavedKey_LoadsInAnotherSpaceAndTwice) {
  SpaceClient first = open();
  uint32_t key = first.make(make_key(7));
  Bytes result = first.must(use_key(key));
  Bytes saved = parameters_of(first.must(context_save(key)));
  first.close();
  crowd();

  SpaceClient second = open();
  EXPECT_EQ(second.make(context_load(saved)), 0x80000000);
  EXPECT_EQ(second.make(context_load(saved)), 0x80000001);
  EXPECT_EQ(second.must(use_key(0x80000000)), result);
  EXPECT_EQ(second.must(use_key(0x80000001)), result);
}

TEST_F(ManagedSessions, SavedSequence_GoesOnWhereItWasSaved) {
  SpaceClient client = open();
  uint32_t sequence = client.make(start_sequence());
  client.must(update_sequence(sequence, "one"));
  Bytes saved = parameters_of(client.must(context_save(sequence)));
  client.must(update_sequence(sequence, "two"));
  crowd();
  uint32_t copy = client.make(context_load(saved));
  crowd();

  client.must(update_sequence(copy, "two"));

  EXPECT_EQ(client.must(complete_sequence(copy)), client.must(complete_sequence(sequence)));
}

TEST_F(ManagedSessions, AlteredContext_IsRefusedByTheTpm) {
  SpaceClient client = open();
  Bytes saved = parameters_of(client.must(context_save(client.make(make_key(7)))));
  saved.back() ^= std::byte{1};

  EXPECT_EQ(client.code(context_load(saved)), ResponseCode{0x1DF});  // TPM_RC_INTEGRITY
}

TEST_F(ManagedSessions, FlushedKeysAndSessions_AreGone) {
  SpaceClient client = open();
  uint32_t key = client.make(make_key(7));
  uint32_t session = client.make(start_session());
  crowd();

  EXPECT_EQ(client.code(flush_context(key)), rc::success);
  EXPECT_EQ(client.code(flush_context(session)), rc::success);

  EXPECT_EQ(client.code(use_key(key)), kUnknownHandle);
  EXPECT_EQ(client.code(flush_context(key)), kWrongParameter);
  EXPECT_EQ(client.code(flush_context(session)), kWrongParameter);
  EXPECT_THAT(in_tpm(0x03000000), IsEmpty());
}

}  // namespace
}  // namespace vtpm
