// TPM_RC_RETRY and TPM_RC_TESTING are answered as the kernel's driver answers them.
#include <gmock/gmock.h>

#include <future>

#include "tests/unit/virtual_tpm_fixture.h"

namespace vtpm {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;

class Retry : public VirtualTpmTest {
 protected:
  explicit Retry(TpmVersion version = TpmVersion::tpm20) : VirtualTpmTest(version) {}

  void SetUp() override {
    power_on_and_start();
    engine_.executed.clear();
  }
};

TEST_F(Retry, SuccessAtOnce_WaitsForNothing) {
  EXPECT_EQ(execute(get_random(8)), rc::success);
  EXPECT_THAT(backoff_.waits, IsEmpty());
}

TEST_F(Retry, RetryOnce_SendsTheCommandAgainAfter20Milliseconds) {
  engine_.answers = {rc::retry};

  EXPECT_EQ(tpm_.execute(get_random(2)), hex("8001 0000000e 00000000 0002 0102"));
  EXPECT_THAT(backoff_.waits, ElementsAre(milliseconds(20)));
  EXPECT_THAT(engine_.executed, ElementsAre(cc::get_random, cc::get_random));
}

TEST_F(Retry, RetryForEver_IsGivenUpAfterTheKernelsDelays) {
  engine_.answers.assign(100, rc::retry);

  EXPECT_EQ(execute(get_random(8)), rc::retry) << "the client gets the TPM's own answer";
  EXPECT_THAT(backoff_.waits, ElementsAreArray(kRetryDelays));
  EXPECT_THAT(engine_.executed, SizeIs(1 + kRetryDelays.size()));
}

TEST_F(Retry, Delays_DoubleFrom20To1280Milliseconds) {
  EXPECT_THAT(kRetryDelays,
              ElementsAre(milliseconds(20), milliseconds(40), milliseconds(80), milliseconds(160),
                          milliseconds(320), milliseconds(640), milliseconds(1280)));
}

TEST_F(Retry, TestingOnAnyCommand_IsRetried) {
  engine_.answers = {rc::testing, rc::testing};

  EXPECT_EQ(execute(get_random(8)), rc::success);
  EXPECT_THAT(backoff_.waits, ElementsAre(milliseconds(20), milliseconds(40)));
}

TEST_F(Retry, TestingOnSelfTest_IsTheAnswer) {
  engine_.answers = {rc::testing};

  EXPECT_EQ(execute(tpm2_command(cc::self_test)), rc::testing);
  EXPECT_THAT(backoff_.waits, IsEmpty());
}

TEST_F(Retry, RetryOnSelfTest_IsRetried) {
  engine_.answers = {rc::retry};

  EXPECT_EQ(execute(tpm2_command(cc::self_test)), rc::success);
}

TEST_F(Retry, AnyOtherCode_IsTheAnswer) {
  engine_.answers = {rc::canceled};

  EXPECT_EQ(execute(get_random(8)), rc::canceled);
  EXPECT_THAT(backoff_.waits, IsEmpty());
}

TEST_F(Retry, WhileACommandRuns_PhaseAndLocalityDoNotWait) {
  engine_.hold_long_commands();
  auto code = std::async(std::launch::async, [&] { return execute(create_primary()); });
  engine_.wait_until_held();

  EXPECT_EQ(tpm_.phase(), Phase::on);
  tpm_.set_locality(Locality{1});
  EXPECT_EQ(tpm_.failure_reason(), "");

  engine_.release();
  EXPECT_EQ(code.get(), rc::success);
}

class Retry12 : public Retry {
 protected:
  Retry12() : Retry(TpmVersion::tpm12) {}
};

TEST_F(Retry12, TheSameNumber_IsTheAnswer) {
  engine_.answers = {rc::retry};

  EXPECT_EQ(execute(hex("00c1 0000000e 00000046 00000008")), rc::retry);
  EXPECT_THAT(backoff_.waits, IsEmpty());
}

TEST_F(Retry, CommandShorterThanAHeader_IsAnsweredByTheTpm) {
  EXPECT_EQ(execute(hex("8001 0000000a 0000")), ResponseCode{0x142});
}

}  // namespace
}  // namespace vtpm
