// What engine/tpm/engine.h promises about power, commands and the buffer size, held against every
// engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/engine_fixture.h"
#include "tests/support/hex.h"

namespace vtpm {
namespace {

INSTANTIATE_TEST_SUITE_P(Engines, EngineContract, testing::ValuesIn(engine_kinds()),
                         [](const auto& test) { return test.param.name; });

// -- power --

TEST_P(EngineContract, Made_IsOfItsVersionAndOff) {
  EXPECT_EQ(engine_->version(), kind().version);
  EXPECT_EQ(engine_->execute(kind().get_random, Locality{}).error().code, Errc::wrong_phase);
  EXPECT_FALSE(engine_->in_failure_mode());
}

TEST_P(EngineContract, PoweredOnWithoutState_IsReset) {
  EXPECT_EQ(power_on().value(), PoweredOn::reset);
}

TEST_P(EngineContract, PoweredOnWithoutState_HasStoredTheNewTpm) {
  ASSERT_TRUE(power_on().has_value());

  EXPECT_NE(store_.find(blob(BlobKind::permanent)), nullptr);
}

TEST_P(EngineContract, WithoutStateAndNotAllowedToManufacture_IsNotFoundAndStoresNothing) {
  make(false);

  auto powered = power_on();

  ASSERT_FALSE(powered.has_value());
  EXPECT_EQ(powered.error().code, Errc::not_found);
  EXPECT_TRUE(store_.blobs.empty());
  EXPECT_EQ(engine_->execute(startup(), Locality{}).error().code, Errc::wrong_phase);
}

TEST_P(EngineContract, WithStateAndNotAllowedToManufacture_PowersOn) {
  ASSERT_TRUE(power_on().has_value());
  make(false);

  EXPECT_TRUE(power_on().has_value());
}

TEST_P(EngineContract, PoweredOff_IsOff) {
  power_on_and_start();

  engine_->power_off();

  EXPECT_EQ(engine_->execute(kind().get_random, Locality{}).error().code, Errc::wrong_phase);
}

TEST_P(EngineContract, PoweredOffTwiceOrNeverOn_IsNoError) {
  engine_->power_off();
  engine_->power_off();

  EXPECT_TRUE(power_on().has_value());
}

TEST_P(EngineContract, PoweredOnAgain_WantsStartupAgain) {
  power_on_and_start();
  engine_->power_off();

  ASSERT_EQ(power_on().value(), PoweredOn::reset);

  EXPECT_EQ(send(kind().get_random), kind().not_started);
}

// -- commands --

TEST_P(EngineContract, CommandBeforeStartup_IsAnsweredByTheTpm) {
  ASSERT_TRUE(power_on().has_value());

  EXPECT_EQ(send(kind().get_random), kind().not_started);
}

TEST_P(EngineContract, ProbeBeforeStartup_IsAnsweredWellFormed) {
  ASSERT_TRUE(power_on().has_value());

  Bytes response = to_bytes(engine_->execute(probe_command(kind().version), Locality{}).value());

  EXPECT_EQ(parse_response_header(response).value().size, response.size());
}

TEST_P(EngineContract, StartupTwice_IsRefusedByTheTpm) {
  power_on_and_start();

  EXPECT_EQ(send(startup()), kind().already_started);
}

TEST_P(EngineContract, GetRandom_IsWellFormed) {
  power_on_and_start();

  Bytes response = to_bytes(engine_->execute(kind().get_random, Locality{}).value());

  auto header = parse_response_header(response);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->code, rc::success);
  EXPECT_EQ(header->size, response.size());
  EXPECT_EQ(response.size(), kind().random_size);
}

TEST_P(EngineContract, UnknownCommandCode_IsRefusedByTheTpm) {
  power_on_and_start();

  EXPECT_EQ(send(kind().unknown), kind().unknown_code);
}

TEST_P(EngineContract, CommandCutAtEveryPlace_GetsAWellFormedError) {
  power_on_and_start();
  Bytes command = kind().get_random;

  for (size_t size = 0; size < command.size(); ++size) {
    auto response = engine_->execute(ByteView(command).first(size), Locality{});
    ASSERT_TRUE(response.has_value()) << size << " bytes";
    auto header = parse_response_header(*response);
    ASSERT_TRUE(header.has_value()) << size << " bytes";
    EXPECT_EQ(header->size, response->size()) << size << " bytes";
    EXPECT_NE(header->code, rc::success) << size << " bytes";
  }
}

TEST_P(EngineContract, RefusedCommands_DoNotLeadToFailureMode) {
  power_on_and_start();

  send(kind().unknown);
  send(ByteView(kind().get_random).first(5));

  EXPECT_FALSE(engine_->in_failure_mode());
  EXPECT_EQ(send(kind().get_random), rc::success);
}

TEST_P(EngineContract, CancelWhenNothingRuns_DoesNotCancelTheNextCommand) {
  power_on_and_start();

  engine_->cancel();

  EXPECT_EQ(send(kind().self_test), rc::success);
}

TEST_P(EngineContract, CancelWhileOff_IsHarmless) {
  engine_->cancel();
  power_on_and_start();

  EXPECT_EQ(send(kind().get_random), rc::success);
}

// -- buffer size --

TEST_P(EngineContract, BufferSize_LiesWithinItsBounds) {
  BufferSizes sizes = engine_->buffer_size(0);

  EXPECT_LE(sizes.min, sizes.size);
  EXPECT_LE(sizes.size, sizes.max);
  EXPECT_EQ(sizes.max, kMaxMessage);
}

TEST_P(EngineContract, BufferSizeOutOfBounds_IsTheNearestPossible) {
  BufferSizes bounds = engine_->buffer_size(0);

  EXPECT_EQ(engine_->buffer_size(1).size, bounds.min);
  EXPECT_EQ(engine_->buffer_size(100000).size, bounds.max);
}

TEST_P(EngineContract, BufferSize_SurvivesPowerCycles) {
  ASSERT_EQ(engine_->buffer_size(3200).size, 3200u);

  power_on_and_start();
  EXPECT_EQ(engine_->buffer_size(0).size, 3200u);
  engine_->power_off();
  power_on_and_start();

  EXPECT_EQ(engine_->buffer_size(0).size, 3200u);
}

TEST_P(EngineContract, BufferSizeWhileOn_IsNotChanged) {
  power_on_and_start();

  EXPECT_EQ(engine_->buffer_size(3200).size, 4096u);
}

}  // namespace
}  // namespace vtpm
