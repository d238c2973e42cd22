// The parts of a VirtualTpm that are no links of its chain, each alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/tpm/accepted_commands.h"
#include "engine/tpm/power_state.h"
#include "engine/tpm/storage_custody.h"
#include "tests/support/commands.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/recording_listener.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class TpmParts : public testing::Test {
 protected:
  void power_on() {
    must(storage_.take());
    must(engine_.power_on(StoredVolatile::keep).map([](PoweredOn) {}));
    must(engine_.execute(tpm2_startup(), Locality{0}).map([](ByteView) {}));
  }

  MemoryStore store_;
  FakeEngine engine_{store_, TpmVersion::tpm20};
  FakeBackoff backoff_;
  RecordingListener listener_;
  StorageCustody storage_{engine_, store_, listener_};
  AcceptedCommands accepted_{engine_, backoff_};
  PowerState power_{listener_};
};

// -- accepted commands --

TEST_F(TpmParts, CancelBeforeTheBeginning_MeansTheNextCommandAlone) {
  auto first = accepted_.accept();
  auto second = accepted_.accept();
  must(accepted_.cancel());

  EXPECT_TRUE(accepted_.begin(first, {}).canceled);
  accepted_.end();
  EXPECT_FALSE(accepted_.begin(second, {}).canceled);
  accepted_.end();
}

TEST_F(TpmParts, CancelOfADroppedCommand_MeansNoLaterOne) {
  static_cast<void>(accepted_.accept());
  must(accepted_.cancel());

  EXPECT_FALSE(accepted_.begin(accepted_.accept(), {}).canceled);
}

TEST_F(TpmParts, CancelBeforeTheBeginning_MeansNoneThatIsAcceptedLaterAndBeginsFirst) {
  auto meant = accepted_.accept();
  must(accepted_.cancel());
  auto later = accepted_.accept();

  EXPECT_FALSE(accepted_.begin(later, {}).canceled);
  accepted_.end();
  EXPECT_TRUE(accepted_.begin(meant, {}).canceled);
}

TEST_F(TpmParts, PowerCycle_LosesCommandsThatHaveNotBegun) {
  auto before = accepted_.accept();

  accepted_.begin_power_cycle(AcceptedCommands::Waiting::lost);

  EXPECT_TRUE(accepted_.begin(before, {}).lost);
  accepted_.end();
  EXPECT_FALSE(accepted_.begin(accepted_.accept(), {}).lost);
}

TEST_F(TpmParts, PowerAfterAWait_LosesNoCommand) {
  auto before = accepted_.accept();

  accepted_.begin_power_cycle(AcceptedCommands::Waiting::go_on);

  EXPECT_FALSE(accepted_.begin(before, {}).lost);
}

TEST_F(TpmParts, Locality_IsThatOfTheAcceptanceUntilTheNextPowerCycle) {
  accepted_.set_locality(Locality{2});
  auto before = accepted_.accept();
  auto behind = accepted_.accept();

  EXPECT_EQ(accepted_.begin(before, {}).locality, Locality{2});
  accepted_.end();
  accepted_.begin_power_cycle(AcceptedCommands::Waiting::go_on);
  EXPECT_EQ(accepted_.begin(behind, {}).locality, Locality{0});
}

TEST_F(TpmParts, LocalityOfTheCommand_ComesBeforeTheOneThatIsSet) {
  accepted_.set_locality(Locality{2});

  EXPECT_EQ(accepted_.begin(accepted_.accept(), Locality{3}).locality, Locality{3});
}

TEST_F(TpmParts, Close_CancelsTheCommandThatRuns) {
  Ticket ticket = accepted_.begin(accepted_.accept(), {});

  accepted_.close();

  EXPECT_TRUE(accepted_.closed());
  EXPECT_TRUE(ticket.canceled);
}

// -- state --

TEST_F(TpmParts, EventThatLeadsNowhere_IsNotTold) {
  power_.enter(Event::startup);

  EXPECT_EQ(power_.state(), TpmState::off);
  EXPECT_THAT(listener_.states, IsEmpty());
}

TEST_F(TpmParts, Reason_IsKeptUntilTheNextEvent) {
  power_.enter(Event::fault, "no state");
  EXPECT_EQ(power_.failure_reason(), "no state");

  power_.enter(Event::init);
  EXPECT_EQ(power_.failure_reason(), "");
}

// -- custody of the storage --

TEST_F(TpmParts, UnchangedStorageBehindARelease_IsUnchanged) {
  power_on();
  must(storage_.release());
  must(storage_.take());

  EXPECT_TRUE(storage_.check_unchanged().has_value());
}

TEST_F(TpmParts, StorageThatSomebodyChangedBehindARelease_IsCorrupt) {
  power_on();
  must(storage_.release());
  must(storage_.take());
  must(store_.store({TpmVersion::tpm20, BlobKind::permanent}, as_bytes("another's")));

  EXPECT_EQ(storage_.check_unchanged().error().code, Errc::corrupt);
}

TEST_F(TpmParts, ReleaseWithSomethingUnstored_IsRefusedAndKeepsTheLock) {
  power_on();
  store_.fail_stores = true;
  must(engine_.execute(tpm2_command(FakeEngine::kGuess), Locality{0}).map([](ByteView) {}));
  storage_.note_unstored();

  EXPECT_FALSE(storage_.release().has_value());
  EXPECT_TRUE(storage_.held());
  EXPECT_THAT(listener_.unstored, ElementsAre(Pair(Unstored::kept, "store told to fail")));
}

}  // namespace
}  // namespace vtpm
