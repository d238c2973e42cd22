#include "cuse/daemon/tpm_log.h"

#include <gtest/gtest.h>

#include <functional>

#include "cuse/daemon/log.h"

namespace vtpm {
namespace {

class TpmLogTest : public testing::Test {
 protected:
  void SetUp() override { log::configure(log::Level::debug, "vtpm3"); }

  std::string logged(const std::function<void(TpmListener&)>& event) {
    testing::internal::CaptureStderr();
    event(log_);
    return testing::internal::GetCapturedStderr();
  }

  TpmLog log_;
};

TEST_F(TpmLogTest, Failure_IsLoggedWithItsReason) {
  auto text = logged([](TpmListener& listener) {
    listener.on_state_change(TpmState::failed, Event::fault, "the disk is gone");
  });

  EXPECT_EQ(text,
            "vtpm3: the TPM has failed: the disk is gone. Its node stays and answers every command "
            "with failure\n");
}

TEST_F(TpmLogTest, OtherState_IsADetail) {
  auto text = logged([](TpmListener& listener) {
    listener.on_state_change(TpmState::started, Event::startup, "");
  });

  EXPECT_EQ(text, "vtpm3: the TPM is started after startup\n");
}

TEST_F(TpmLogTest, UndoneCommand_IsNamedByItsCode) {
  auto text = logged([](TpmListener& listener) {
    listener.on_not_stored(CommandCode{0x12A}, Change::undone, "no space left");
  });

  EXPECT_EQ(text.find("vtpm3: command 0x12a was undone: its change could not be stored: no space"),
            0u);
}

TEST_F(TpmLogTest, CommandWhoseChangeIsKept_IsNotSaidToBeUndone) {
  auto text = logged([](TpmListener& listener) {
    listener.on_not_stored(CommandCode{0xE6}, Change::kept, "no space left");
  });

  EXPECT_EQ(text.find("vtpm3: command 0xe6 was answered with failure: what it carried is done, and "
                      "kept in memory until it can be stored: no space left"),
            0u);
  EXPECT_EQ(text.find("undone"), std::string::npos);
}

// TPM 2.0 has a number of its own for every command: what decides is what the TPM did.
TEST_F(TpmLogTest, UndoneCommandWithTheNumberOfATransport_IsSaidToBeUndone) {
  auto text = logged([](TpmListener& listener) {
    listener.on_not_stored(CommandCode{0xE6}, Change::undone, "no space left");
  });

  EXPECT_EQ(text.find("vtpm3: command 0xe6 was undone: "), 0u);
}

}  // namespace
}  // namespace vtpm
