#include "ctl/control/ioctl_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vtpm/ioctl.h>

#include <algorithm>
#include <future>
#include <map>

#include "tests/support/commands.h"
#include "tests/unit/control_surface_fixture.h"

namespace vtpm {
namespace {

TEST_F(ControlSurfaceTest, UnknownNumber_IsUnsupported) {
  EXPECT_EQ(ask(0x5401).error().code, Errc::unsupported);
}

TEST_F(ControlSurfaceTest, GetCapability_IsTheMask) {
  EXPECT_EQ(from<vtpm_capability>(ask(VTPM_GET_CAPABILITY)), capability_mask());
}

TEST_F(ControlSurfaceTest, GetConfig_TellsOfNoKeys) {
  auto config = from<vtpm_config>(ask(VTPM_GET_CONFIG));

  EXPECT_EQ(config.tpm_result, VTPM_RESULT_SUCCESS);
  EXPECT_EQ(config.flags, 0u);
}

TEST_F(ControlSurfaceTest, Init_PowersOn) {
  EXPECT_EQ(result_in(init()), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(tpm_.phase(), Phase::on);
}

TEST_F(ControlSurfaceTest, InitWithUnknownFlags_IgnoresThem) {
  store_.put({TpmVersion::tpm20, BlobKind::volatile_state}, as_bytes("v"));

  EXPECT_EQ(result_in(init(~VTPM_INIT_FLAG_DELETE_VOLATILE)), VTPM_RESULT_SUCCESS);

  EXPECT_NE(store_.find({TpmVersion::tpm20, BlobKind::volatile_state}), nullptr);
}

TEST_F(ControlSurfaceTest, InitWithDeleteVolatile_RemovesTheStoredBlob) {
  store_.put({TpmVersion::tpm20, BlobKind::volatile_state}, as_bytes("v"));

  EXPECT_EQ(result_in(init(VTPM_INIT_FLAG_DELETE_VOLATILE)), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(store_.find({TpmVersion::tpm20, BlobKind::volatile_state}), nullptr);
}

TEST_F(ControlSurfaceTest, InitThatTheTpmRefuses_IsTpm2Failure) {
  fake_.fail_power_on = true;

  EXPECT_EQ(result_in(init()), VTPM_RESULT_TPM2_FAILURE);
  EXPECT_EQ(tpm_.phase(), Phase::failed);
}

TEST_F(ControlSurfaceTest, InitThatTheStorageRefuses_IsFail) {
  store_.fail_loads = true;

  EXPECT_EQ(result_in(init()), VTPM_RESULT_FAIL);
}

TEST_F(ControlSurfaceTest, Stop_PowersOff) {
  init();

  EXPECT_EQ(result_in(ask(VTPM_STOP)), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(tpm_.phase(), Phase::off);
}

TEST_F(ControlSurfaceTest, Shutdown_EndsTheTpmAndAsksTheDaemonToEnd) {
  EXPECT_EQ(result_in(ask(VTPM_SHUTDOWN)), VTPM_RESULT_SUCCESS);

  EXPECT_EQ(tpm_.phase(), Phase::gone);
  EXPECT_EQ(ends_, 1);
}

TEST_F(ControlSurfaceTest, SetLocality_0To4IsTaken) {
  for (uint8_t locality = 0; locality <= 4; ++locality) {
    EXPECT_EQ(result_in(set_locality(locality)), VTPM_RESULT_SUCCESS);
    EXPECT_EQ(tpm_.locality(), Locality{locality});
  }
}

TEST_F(ControlSurfaceTest, SetLocality_5AndMoreIsRefused) {
  EXPECT_EQ(result_in(set_locality(5)), VTPM_RESULT_BAD_LOCALITY);
  EXPECT_EQ(result_in(set_locality(255)), VTPM_RESULT_BAD_LOCALITY);
  EXPECT_EQ(tpm_.locality(), Locality{0});
}

TEST_F(ControlSurfaceTest, CancelWhenNothingRuns_IsSuccess) {
  init();

  EXPECT_EQ(result_in(ask(VTPM_CANCEL_TPM_CMD)), VTPM_RESULT_SUCCESS);
}

TEST_F(ControlSurfaceTest, SetBufferSizeWhileOff_ClampsAndTellsTheBounds) {
  auto sizes = from<vtpm_buffersize>(set_buffersize(1)).resp;

  EXPECT_EQ(sizes.tpm_result, VTPM_RESULT_SUCCESS);
  EXPECT_EQ(sizes.buffersize, 1024u);
  EXPECT_EQ(sizes.minsize, 1024u);
  EXPECT_EQ(sizes.maxsize, 4096u);
}

TEST_F(ControlSurfaceTest, SetBufferSizeWhileOn_GetsTheResultAlone) {
  init();

  auto answer = set_buffersize(3000);

  EXPECT_EQ(answer.value().size(), 4u);
  EXPECT_EQ(result_in(answer), VTPM_RESULT_BAD_ORDINAL);
}

TEST_F(ControlSurfaceTest, AskForBufferSizeWhileOn_IsAnswered) {
  init();

  EXPECT_EQ(from<vtpm_buffersize>(set_buffersize(0)).resp.buffersize, 4096u);
}

// -- turns --

class ControlBesideACommand : public ControlSurfaceTest {
 protected:
  void SetUp() override {
    init_and_start();
    fake_.hold_long_commands();
    command_ = std::async(std::launch::async, [this] {
      queue_.run([this] { command_result_ = response_code(tpm_.execute(create_primary())); });
    });
    fake_.wait_until_held();
  }

  ResponseCode command_result_{};
  std::future<void> command_;
};

TEST_F(ControlBesideACommand, Cancel_DoesNotWaitAndEndsTheCommand) {
  EXPECT_EQ(result_in(ask(VTPM_CANCEL_TPM_CMD)), VTPM_RESULT_SUCCESS);

  command_.get();
  EXPECT_EQ(command_result_, rc::canceled);
}

TEST_F(ControlBesideACommand, Queries_DoNotWait) {
  EXPECT_TRUE(ask(VTPM_GET_CAPABILITY).has_value());
  EXPECT_TRUE(ask(VTPM_GET_CONFIG).has_value());

  fake_.release();
}

class WaitingBesideACommand : public ControlBesideACommand {
 protected:
  // Of an opener whose requests wait in `lane`; its answers name it.
  void begin_in(std::shared_ptr<Lane> lane, Privilege may, std::string name, uint32_t number,
                ByteView in = {}) {
    surface_.handle(number, in, {may, std::move(lane)}, std::make_shared<BlobTransfer>(),
                    [this, name = std::move(name)](Result<Bytes> answer) {
                      order_.push_back(name);
                      answers_[name].push_back(std::move(answer));
                    });
  }
  void begin_execute(std::shared_ptr<Lane> lane, Privilege may, std::string name) {
    vtpm_execute structure{};
    structure.req.locality = VTPM_LOCALITY_CURRENT;
    Bytes command = get_random(8);
    structure.req.length = static_cast<uint32_t>(command.size());
    std::ranges::copy(command, std::as_writable_bytes(std::span(structure.req.data)).begin());
    begin_in(std::move(lane), may, std::move(name), VTPM_EXECUTE, view_of(structure));
  }
  // The first answer of that name.
  [[nodiscard]] ResponseCode executed(const std::string& name) {
    auto structure = from<vtpm_execute>(answers_[name].at(0));
    return response_code(std::as_bytes(std::span(structure.resp.data)).first(kHeaderSize));
  }
  void end_the_command() {
    fake_.release();
    command_.get();
  }

  std::vector<std::string> order_;
  std::map<std::string, std::vector<Result<Bytes>>> answers_;
};

TEST_F(WaitingBesideACommand, ControllersRequest_GoesBeforeCommandsOfOthers) {
  begin_execute(surface_.new_lane(), Privilege::raw_user, "user");
  begin_in(surface_.new_lane(), Privilege::control, "controller", VTPM_STORE_VOLATILE);

  end_the_command();

  EXPECT_EQ(order_, (std::vector<std::string>{"controller", "user"}));
}

TEST_F(WaitingBesideACommand, ControllersRequest_ComesBehindItsOwnCommands) {
  auto lane = surface_.new_lane();
  begin_execute(lane, Privilege::control, "own command");
  begin_in(lane, Privilege::control, "request", VTPM_STORE_VOLATILE);

  end_the_command();

  EXPECT_EQ(order_, (std::vector<std::string>{"own command", "request"}));
}

TEST_F(WaitingBesideACommand, CommandsOfOneOpener_TakeTurnsWithThoseOfAnother) {
  auto many = surface_.new_lane();
  begin_execute(many, Privilege::raw_user, "many");
  begin_execute(many, Privilege::raw_user, "many");
  begin_execute(many, Privilege::raw_user, "many");
  begin_execute(surface_.new_lane(), Privilege::raw_user, "one");

  end_the_command();

  EXPECT_EQ(order_, (std::vector<std::string>{"many", "one", "many", "many"}));
}

TEST_F(WaitingBesideACommand, CommandFromBeforeAReset_IsNotForTheTpmAfterIt) {
  begin_execute(surface_.new_lane(), Privilege::raw_user, "user");
  vtpm_init request{};
  begin_in(surface_.new_lane(), Privilege::control, "reset", VTPM_INIT, view_of(request));
  end_the_command();

  EXPECT_EQ(order_, (std::vector<std::string>{"reset", "user"}));
  EXPECT_EQ(executed("user"), rc::failure);
  EXPECT_THAT(fake_.executed, testing::Not(testing::Contains(cc::get_random)));
}

TEST_F(WaitingBesideACommand, OneRequestTooMany_IsRefusedAsBusyAndTheOthersAreAnswered) {
  auto lane = surface_.new_lane();
  for (size_t i = 0; i <= Lane::kMostWaiting; ++i) {  // one stands in the strand's line
    begin_execute(lane, Privilege::raw_user, "user");
  }

  begin_execute(lane, Privilege::raw_user, "too many");

  ASSERT_EQ(order_, (std::vector<std::string>{"too many"}));
  EXPECT_EQ(answers_["too many"].at(0).error().code, Errc::busy);
  end_the_command();
  EXPECT_EQ(answers_["user"].size(), Lane::kMostWaiting + 1);
}

TEST_F(ControlBesideACommand, Stop_ComesAfterTheCommandOnItsThread) {
  std::promise<Result<Bytes>> answer;
  surface_.handle(VTPM_STOP, {}, Privilege::control, transfer_,
                  [&](Result<Bytes> result) { answer.set_value(std::move(result)); });
  EXPECT_EQ(tpm_.phase(), Phase::on);

  fake_.release();
  command_.get();

  EXPECT_EQ(result_in(answer.get_future().get()), VTPM_RESULT_SUCCESS);
  EXPECT_EQ(command_result_, rc::success);
  EXPECT_EQ(tpm_.phase(), Phase::off);
}

}  // namespace
}  // namespace vtpm
