// Spaces of a virtual TPM: the real TPM 2.0 with its power cycle, its state and its versions.
#include <gmock/gmock.h>

#include "engine/tpm/libtpms_engine.h"
#include "engine/tpm/virtual_tpm.h"
#include "tests/support/commands.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/space_commands.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

constexpr uint32_t kFirstObject = 0x80000000;
constexpr uint32_t kLoadedSessions = 0x02000000;
constexpr ResponseCode kUnknownHandle{0x000B0910};
constexpr ResponseCode kWrongLocality{0x907};

class SpacesOfAVirtualTpm : public testing::Test {
 protected:
  SpacesOfAVirtualTpm() {
    must(tpm_.power_on());
    must(tpm_.startup(StartupType::clear));
    space_ = tpm_.open_space({100, 1000});
  }

  Bytes send(ByteView command) { return space_->execute(tpm_.accept(), command); }
  ResponseCode code(ByteView command) { return response_code(send(command)); }
  uint32_t make(ByteView command) { return returned_handle(send(command)); }
  void make_keys(uint8_t count) {
    for (uint8_t which = 0; which < count; ++which) {
      ASSERT_EQ(make(make_key(which, kOwnerHierarchy)), kFirstObject + which);
    }
  }
  // What the TPM really has.
  std::vector<uint32_t> in_tpm(uint32_t first) {
    return listed_handles(tpm_.execute(get_handles(first)));
  }

  MemoryStore store_;
  std::unique_ptr<LibtpmsEngine> engine_ = LibtpmsEngine::create({}, store_).value();
  FakeBackoff backoff_;
  VirtualTpm tpm_{*engine_, store_, backoff_};
  std::unique_ptr<VirtualTpm::Space> space_;
};

TEST_F(SpacesOfAVirtualTpm, PowerCycleAndResume_KeepWhatASpaceHasLoaded) {
  make_keys(5);
  uint32_t session = make(start_session());

  must(tpm_.power_on());
  must(tpm_.startup(StartupType::state));

  EXPECT_EQ(code(use_key(kFirstObject)), rc::success);
  EXPECT_EQ(code(use_key(kFirstObject + 4)), rc::success);
  EXPECT_EQ(code(policy_get_digest(session)), rc::success);
}

TEST_F(SpacesOfAVirtualTpm, PowerCycleAndReset_EndsAll) {
  make_keys(1);
  ASSERT_EQ(code(shutdown_command(ShutdownType::clear)), rc::success);

  must(tpm_.power_on());
  must(tpm_.startup(StartupType::clear));

  EXPECT_EQ(code(use_key(kFirstObject)), kUnknownHandle);
}

TEST_F(SpacesOfAVirtualTpm, VolatileStateTaken_HasNothingOfSpacesInItsSlots) {
  make_keys(2);
  make(start_session());

  Bytes blob = must(tpm_.get_state(BlobKind::volatile_state));
  tpm_.power_off();
  must(tpm_.set_state(BlobKind::volatile_state, blob));
  must(tpm_.power_on());

  EXPECT_THAT(in_tpm(kFirstObject), IsEmpty());
  EXPECT_THAT(in_tpm(kLoadedSessions), IsEmpty());
}

TEST_F(SpacesOfAVirtualTpm, VolatileStateStored_HasNothingOfSpacesInItsSlots) {
  make_keys(2);

  must(tpm_.store_volatile());

  EXPECT_EQ(code(use_key(kFirstObject)), rc::success);
  space_.reset();
  must(tpm_.power_on());
  EXPECT_THAT(in_tpm(kFirstObject), IsEmpty());
}

TEST_F(SpacesOfAVirtualTpm, ReplacedState_EndsAll) {
  make_keys(1);
  Bytes blob = must(tpm_.get_state(BlobKind::permanent));
  tpm_.power_off();
  must(tpm_.set_state(BlobKind::permanent, blob));
  must(tpm_.power_on());
  must(tpm_.startup(StartupType::clear));

  EXPECT_THAT(tpm_.spaces(), ElementsAre(Field(&SpaceStatus::objects, 0u)));
  EXPECT_EQ(code(use_key(kFirstObject)), kUnknownHandle);
}

TEST_F(SpacesOfAVirtualTpm, WhileTheTpmIsA12_AreToldSoInItsOwnWay) {
  tpm_.power_off();
  must(tpm_.set_version(TpmVersion::tpm12));
  must(tpm_.power_on());

  EXPECT_EQ(send(get_random(8)), hex("00c4 0000000a 0000001e"));
}

TEST_F(SpacesOfAVirtualTpm, WithoutPower_FailsAsTheRawOneDoes) {
  make_keys(5);
  tpm_.power_off();

  EXPECT_EQ(code(flush_context(kFirstObject)), rc::failure);
  EXPECT_EQ(send(get_random(8)), tpm_.execute(get_random(8)));
}

TEST_F(SpacesOfAVirtualTpm, CommandOfBeforeAPowerCycle_IsLost) {
  make_keys(5);
  auto before = tpm_.accept();
  must(tpm_.power_on());
  must(tpm_.startup(StartupType::state));

  EXPECT_EQ(response_code(space_->execute(before, flush_context(kFirstObject))), rc::failure);
}

TEST_F(SpacesOfAVirtualTpm, CommandsOfASpace_AreOfLocality0) {
  Bytes event = tpm2_command_with_password(cc::pcr_event, hex("00000011"), hex("0000"));
  tpm_.set_locality(Locality{3});

  EXPECT_EQ(response_code(tpm_.execute(event)), rc::success);
  EXPECT_EQ(code(event), kWrongLocality);
}

TEST_F(SpacesOfAVirtualTpm, RawCommands_FindTheTpmAsIfAlone) {
  make_keys(3);

  EXPECT_THAT(in_tpm(kFirstObject), IsEmpty());
  EXPECT_EQ(code(use_key(kFirstObject)), rc::success);
}

TEST_F(SpacesOfAVirtualTpm, EndOfASpace_FlushesWhatItHad) {
  make_keys(3);
  make(start_session());

  space_.reset();

  EXPECT_THAT(in_tpm(kFirstObject), IsEmpty());
  EXPECT_THAT(in_tpm(kLoadedSessions), IsEmpty());
  EXPECT_THAT(tpm_.spaces(), IsEmpty());
}

TEST_F(SpacesOfAVirtualTpm, QuestionsOfTheDaemon_DisturbNone) {
  make_keys(3);
  uint64_t before = tpm_.commands();

  EXPECT_TRUE(tpm_.lockout().has_value());

  EXPECT_EQ(tpm_.commands(), before);
  EXPECT_EQ(code(use_key(kFirstObject)), rc::success);
  EXPECT_EQ(tpm_.commands(), before + 1);
}

TEST_F(SpacesOfAVirtualTpm, EndedTpm_AnswersWithFailure) {
  make_keys(1);
  tpm_.end();

  EXPECT_EQ(code(use_key(kFirstObject)), rc::failure);
}

}  // namespace
}  // namespace vtpm
