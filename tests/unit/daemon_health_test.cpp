#include "cuse/daemon/daemon_health.h"

#include <gtest/gtest.h>

namespace vtpm {
namespace {

using std::chrono::seconds;

class Health : public testing::Test {
 protected:
  DaemonHealth::Clock::time_point now_{};
  DaemonHealth health_{[this] { return now_; }};
};

TEST_F(Health, Uptime_IsSinceTheBeginning) {
  now_ += seconds(90);
  EXPECT_EQ(health_.uptime(), seconds(90));
}

TEST_F(Health, StorageThatNeverFailed_HasNoFailure) {
  EXPECT_FALSE(health_.storage_failure().has_value());
}

TEST_F(Health, StorageFailure_IsTheLastWithItsAge) {
  health_.note_storage(failure(Errc::io, "first"));
  now_ += seconds(5);
  health_.note_storage(failure(Errc::io, "second"));
  now_ += seconds(7);

  auto last = health_.storage_failure();

  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->reason, "second");
  EXPECT_EQ(last->age, seconds(7));
  EXPECT_TRUE(last->lasts);
}

TEST_F(Health, StorageThatIsBack_KeepsTheLastFailure) {
  health_.note_storage(failure(Errc::io, "full"));
  health_.note_storage({});

  auto last = health_.storage_failure();

  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->reason, "full");
  EXPECT_FALSE(last->lasts);
}

TEST_F(Health, StorageThatFailsAgain_Lasts) {
  health_.note_storage(failure(Errc::io, "full"));
  health_.note_storage({});
  health_.note_storage(failure(Errc::io, "full"));

  EXPECT_TRUE(health_.storage_failure().value().lasts);
}

TEST_F(Health, StorageThatTakesWhatItIsGiven_HasNoFailure) {
  health_.note_storage({});

  EXPECT_FALSE(health_.storage_failure().has_value());
}

}  // namespace
}  // namespace vtpm
