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
  health_.on_not_stored(CommandCode{0x12A}, Change::undone, "first");
  now_ += seconds(5);
  health_.on_unstored(Unstored::kept, "second");
  now_ += seconds(7);

  auto last = health_.storage_failure();

  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->reason, "second");
  EXPECT_EQ(last->age, seconds(7));
}

TEST_F(Health, StorageThatIsBack_KeepsTheLastFailure) {
  health_.on_unstored(Unstored::kept, "full");
  health_.on_unstored(Unstored::stored, "");

  EXPECT_EQ(health_.storage_failure().value().reason, "full");
}

}  // namespace
}  // namespace vtpm
