// Control requests as values, from the dispatcher to their handlers and back; what a protocol's
// codec counts on.
#include "ctl/control/control_dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/control/control_result.h"
#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/unit/control_surface_fixture.h"

namespace vtpm {
namespace {

using Made = ControlDispatcher::Made;

class ValuesTest : public ControlSurfaceTest {
 protected:
  using ControlSurfaceTest::ControlSurfaceTest;
  using ValueAnswers = std::shared_ptr<std::vector<Result<ControlAnswer>>>;

  ValueAnswers begin_value(ControlRequest request, Privilege caller = Privilege::control) {
    auto answers = std::make_shared<std::vector<Result<ControlAnswer>>>();
    dispatcher_.dispatch(std::move(request), caller, [answers](Result<ControlAnswer> answer) {
      answers->push_back(std::move(answer));
    });
    return answers;
  }
  // The one answer; fails the test when there are none or several.
  Result<ControlAnswer> ask_value(ControlRequest request, Privilege caller = Privilege::control) {
    auto answers = begin_value(std::move(request), caller);
    EXPECT_EQ(answers->size(), 1u);
    return std::move(answers->at(0));
  }
  template <class Request>
  typename Request::Answer answer_to(Request request) {
    return std::get<typename Request::Answer>(must(ask_value(std::move(request))));
  }
  uint32_t refused(ControlRequest request, Privilege caller = Privilege::control) {
    return ask_value(std::move(request), caller).error().tpm_result;
  }
};

TEST_F(ValuesTest, CallerThatMayNot_IsDeniedWithoutAResultCode) {
  auto answer = ask_value(requests::Shutdown{}, Privilege::raw_user);

  EXPECT_EQ(answer.error().code, Errc::denied);
  EXPECT_EQ(answer.error().tpm_result, 0u);
  EXPECT_EQ(ends_, 0);
}

TEST_F(ValuesTest, RequestInAnotherPhase_IsABadOrdinal) {
  EXPECT_EQ(refused(requests::HashStart{}), control_result::bad_ordinal);
}

TEST_F(ValuesTest, ErrorThatHasNoResultCode_GetsOne) {
  store_.fail_loads = true;

  EXPECT_EQ(refused(requests::Init{}), control_result::fail);
}

TEST_F(ValuesTest, Init_PowersOnAndStatusSaysSo) {
  EXPECT_TRUE(ask_value(requests::Init{}).has_value());

  auto status = answer_to(requests::GetStatus{});
  EXPECT_EQ(status.phase, Phase::on);
  EXPECT_EQ(status.version, TpmVersion::tpm20);
  EXPECT_FALSE(status.started);
  EXPECT_TRUE(status.storage_locked);
}

TEST_F(ValuesTest, Shutdown_TellsTheSurroundings) {
  EXPECT_TRUE(ask_value(requests::Shutdown{}).has_value());

  EXPECT_EQ(ends_, 1);
}

TEST_F(ValuesTest, SetVersion_TellsTheSurroundingsOnlyWhenItIsChanged) {
  EXPECT_TRUE(ask_value(requests::SetVersion{TpmVersion::tpm12}).has_value());
  EXPECT_EQ(changes_announced_, 1);
  init();

  EXPECT_EQ(refused(requests::SetVersion{TpmVersion::tpm20}), control_result::bad_ordinal);
  EXPECT_EQ(changes_announced_, 1);
}

TEST_F(ValuesTest, Execute_IsACommandAndItsResponse) {
  init_and_start();

  auto answer = answer_to(requests::Execute{get_random(4), {}});

  EXPECT_EQ(response_code(answer.response), rc::success);
}

TEST_F(ValuesTest, ExecuteOfLessThanTheCommandDeclares_IsABadParameter) {
  init_and_start();
  Bytes command = get_random(4);
  command.pop_back();

  EXPECT_EQ(refused(requests::Execute{command, {}}), control_result::bad_parameter);
  EXPECT_EQ(refused(requests::Execute{}), control_result::bad_parameter);
}

TEST_F(ValuesTest, LocalityThatNoTpmHas_IsRefused) {
  init();

  EXPECT_EQ(refused(requests::SetLocality{Locality{5}}), control_result::bad_locality);
  EXPECT_EQ(refused(requests::ResetEstablished{Locality{5}}), control_result::bad_locality);
  EXPECT_EQ(refused(requests::Execute{get_random(4), Locality{5}}), control_result::bad_locality);
}

TEST_F(ValuesTest, Established_IsWhatHashStartMakesOfIt) {
  init();
  EXPECT_FALSE(answer_to(requests::GetEstablished{}).established);

  EXPECT_TRUE(ask_value(requests::HashStart{}).has_value());
  EXPECT_TRUE(ask_value(requests::HashData{Bytes(5000)}).has_value());
  EXPECT_TRUE(ask_value(requests::HashEnd{}).has_value());

  EXPECT_TRUE(answer_to(requests::GetEstablished{}).established);
  EXPECT_EQ(fake_.hashed.size(), 5000u);
}

TEST_F(ValuesTest, StateBlob_ComesAndGoesWhole) {
  init_and_start();
  Bytes state(5000, std::byte{0x11});
  ASSERT_EQ(execute(tpm2_command(FakeEngine::kRemember, Bytes(3000, std::byte{0x11}))),
            rc::success);

  StateBlob blob = std::move(answer_to(requests::GetState{BlobKind::permanent}).blob);
  EXPECT_EQ(must(unwrap_migration_blob(blob.view(), nullptr)), Bytes(3000, std::byte{0x11}));
  ask_value(requests::Stop{});
  EXPECT_TRUE(
      ask_value(requests::SetState{BlobKind::permanent, must(wrap_migration_blob(state, nullptr))})
          .has_value());

  init();
  EXPECT_EQ(*store_.find({TpmVersion::tpm20, BlobKind::permanent}), state);
}

TEST_F(ValuesTest, Info_IsTheWholeText) {
  EXPECT_EQ(answer_to(requests::GetInfo{VTPM_INFO_TPMFEATURES}).text,
            must(tpm_.info(VTPM_INFO_TPMFEATURES)));
}

TEST_F(ValuesTest, Details_AreOfTheSurroundings) {
  storage_failure_ = {"the disk is full", std::chrono::seconds(7), true};

  auto details = answer_to(requests::GetDetails{});

  EXPECT_EQ(details.uptime, std::chrono::seconds(90));
  EXPECT_EQ(details.storage_failure->reason, "the disk is full");
  EXPECT_TRUE(details.storage_failure->lasts);
  EXPECT_FALSE(details.lockout.has_value());
}

TEST_F(ValuesTest, Spaces_AreThoseOpenedAfterTheOneThatIsKnown) {
  auto first = tpm_.open_space({42, 1000});
  auto second = tpm_.open_space({43, 0});

  auto all = answer_to(requests::GetSpaces{}).spaces;
  auto rest = answer_to(requests::GetSpaces{all.at(0).id}).spaces;

  EXPECT_EQ(all.size(), 2u);
  EXPECT_EQ(all.at(0).peer, (SpaceOwner{42, 1000}));
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest.at(0).peer, (SpaceOwner{43, 0}));
}

TEST_F(ValuesTest, LockThatIsHeld_IsAskedForAgainWithTheSameRequest) {
  store_.held_by_another = true;
  auto answers = begin_value(requests::LockStorage{1});
  EXPECT_TRUE(answers->empty());
  store_.held_by_another = false;

  clock_.advance(std::chrono::milliseconds(10));

  ASSERT_EQ(answers->size(), 1u);
  EXPECT_TRUE(answers->front().has_value());
}

// -- requests that are made when their turn has come --

class MadeRequest : public ValuesTest {
 protected:
  template <class Request>
  Result<ControlAnswer> ask_made(Made made, Privilege caller = Privilege::control) {
    std::vector<Result<ControlAnswer>> answers;
    dispatcher_.dispatch(
        control_row<Request>(), caller,
        [this, made = std::move(made)]() mutable {
          ++times_made_;
          return std::move(made);
        },
        [&](Result<ControlAnswer> answer) { answers.push_back(std::move(answer)); });
    EXPECT_EQ(answers.size(), 1u);
    return std::move(answers.at(0));
  }

  int times_made_ = 0;
};

TEST_F(MadeRequest, ThatIsPossible_IsMadeOnceAndCarriedOut) {
  EXPECT_TRUE(ask_made<requests::Init>(Made(requests::Init{})).has_value());

  EXPECT_EQ(times_made_, 1);
  EXPECT_EQ(tpm_.phase(), Phase::on);
}

TEST_F(MadeRequest, ThatIsNotPossible_IsNotMade) {
  EXPECT_EQ(ask_made<requests::HashEnd>(Made(requests::HashEnd{})).error().tpm_result,
            control_result::bad_ordinal);
  EXPECT_EQ(ask_made<requests::Init>(Made(requests::Init{}), Privilege::anyone).error().code,
            Errc::denied);

  EXPECT_EQ(times_made_, 0);
}

TEST_F(MadeRequest, ThatIsNotWholeYet_IsDoneAndChangesNothing) {
  auto answer = ask_made<requests::Init>(Made(std::nullopt));

  EXPECT_TRUE(std::holds_alternative<std::monostate>(must(std::move(answer))));
  EXPECT_EQ(tpm_.phase(), Phase::off);
}

TEST_F(MadeRequest, ThatCannotBeMade_IsRefusedWithWhatItSays) {
  EXPECT_EQ(ask_made<requests::Init>(refusal(control_result::size, "too much")).error().tpm_result,
            control_result::size);
}

}  // namespace
}  // namespace vtpm
