// What holds for each request that there is an ioctl for, in each phase.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "tests/unit/control_surface_fixture.h"

namespace vtpm {
namespace {

std::string name_of_row(const auto& info) {
  return std::string(info.param.row().name);
}

size_t request_size(const IoctlRow& row) {
  return (_IOC_DIR(row.number) & _IOC_WRITE) == 0 ? 0 : _IOC_SIZE(row.number);
}

bool is_bad_ordinal(const Bytes& answer) {
  return answer.size() == 4 && result_in(answer) == VTPM_RESULT_BAD_ORDINAL;
}

std::vector<IoctlRow> rows_with(Privilege privilege) {
  std::vector<IoctlRow> rows;
  for (const IoctlRow& row : ioctl_table()) {
    if (row.row().privilege == privilege) {
      rows.push_back(row);
    }
  }
  return rows;
}

class EveryRequest : public ControlSurfaceTest, public testing::WithParamInterface<IoctlRow> {
 protected:
  Bytes request_ = Bytes(request_size(GetParam()));
};

TEST_P(EveryRequest, FromWhoMayControl_IsAnswered) {
  EXPECT_TRUE(ask(GetParam().number, request_, Privilege::control).has_value());
}

TEST_P(EveryRequest, OneByteTooLong_IsInvalid) {
  EXPECT_EQ(ask(GetParam().number, Bytes(request_.size() + 1)).error().code, Errc::invalid);
}

INSTANTIATE_TEST_SUITE_P(Rows, EveryRequest,
                         testing::ValuesIn(ioctl_table().begin(), ioctl_table().end()),
                         name_of_row<testing::TestParamInfo<IoctlRow>>);

class ControllingRequest : public EveryRequest {};

TEST_P(ControllingRequest, FromAnyone_IsDenied) {
  EXPECT_EQ(ask(GetParam().number, request_, Privilege::anyone).error().code, Errc::denied);
  EXPECT_EQ(ask(GetParam().number, request_, Privilege::raw_user).error().code, Errc::denied);
  EXPECT_EQ(ask(GetParam().number, request_, Privilege::observer).error().code, Errc::denied);
  EXPECT_EQ(tpm_.phase(), Phase::off);
  EXPECT_EQ(ends_, 0);
}

INSTANTIATE_TEST_SUITE_P(Rows, ControllingRequest, testing::ValuesIn(rows_with(Privilege::control)),
                         name_of_row<testing::TestParamInfo<IoctlRow>>);

class RawUsersRequest : public EveryRequest {};

TEST_P(RawUsersRequest, FromAnyone_IsDeniedAndFromAUserOfTheRawNode_IsAnswered) {
  EXPECT_EQ(ask(GetParam().number, request_, Privilege::anyone).error().code, Errc::denied);
  EXPECT_TRUE(ask(GetParam().number, request_, Privilege::raw_user).has_value());
}

INSTANTIATE_TEST_SUITE_P(Rows, RawUsersRequest, testing::ValuesIn(rows_with(Privilege::raw_user)),
                         name_of_row<testing::TestParamInfo<IoctlRow>>);

class ObserversRequest : public EveryRequest {};

TEST_P(ObserversRequest, FromAnyoneAndTheRawNode_IsDeniedAndFromAnObserver_IsAnswered) {
  EXPECT_EQ(ask(GetParam().number, request_, Privilege::anyone).error().code, Errc::denied);
  EXPECT_EQ(ask(GetParam().number, request_, Privilege::raw_user).error().code, Errc::denied);
  EXPECT_TRUE(ask(GetParam().number, request_, Privilege::observer).has_value());
}

INSTANTIATE_TEST_SUITE_P(Rows, ObserversRequest, testing::ValuesIn(rows_with(Privilege::observer)),
                         name_of_row<testing::TestParamInfo<IoctlRow>>);

class OpenRequest : public EveryRequest {};

TEST_P(OpenRequest, FromAnyone_IsAnswered) {
  EXPECT_TRUE(ask(GetParam().number, request_, Privilege::anyone).has_value());
}

INSTANTIATE_TEST_SUITE_P(Rows, OpenRequest, testing::ValuesIn(rows_with(Privilege::anyone)),
                         name_of_row<testing::TestParamInfo<IoctlRow>>);

class RequestInPhase : public ControlSurfaceTest,
                       public testing::WithParamInterface<std::tuple<IoctlRow, Phase>> {
 protected:
  void SetUp() override { enter(phase_); }

  const IoctlRow row_ = std::get<IoctlRow>(GetParam());
  const Phase phase_ = std::get<Phase>(GetParam());
  const Bytes request_ = Bytes(request_size(row_));
};

std::string name_of_row_and_phase(const testing::TestParamInfo<std::tuple<IoctlRow, Phase>>& info) {
  return std::string(std::get<IoctlRow>(info.param).row().name) + "_" +
         std::string(name(std::get<Phase>(info.param)));
}

const auto kRows = testing::ValuesIn(ioctl_table().begin(), ioctl_table().end());

TEST_P(RequestInPhase, AnswersOnce_LegalOrBadOrdinalWithFourBytes) {
  bool legal = std::ranges::find(row_.row().phases, phase_) != row_.row().phases.end();

  auto answer = ask(row_.number, request_);

  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(is_bad_ordinal(*answer), !legal);
  EXPECT_THAT(answer->size(), testing::AnyOf(4u, _IOC_SIZE(row_.number)));
}

INSTANTIATE_TEST_SUITE_P(RowsAndPhases, RequestInPhase,
                         testing::Combine(kRows,
                                          testing::Values(Phase::off, Phase::on, Phase::failed)),
                         name_of_row_and_phase);

class RequestWhenGone : public RequestInPhase {};

TEST_P(RequestWhenGone, HasOneAnswerOfFourBytes_BadOrdinal) {
  auto answer = ask(row_.number, request_);

  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(is_bad_ordinal(*answer));
}

INSTANTIATE_TEST_SUITE_P(RowsAndPhases, RequestWhenGone,
                         testing::Combine(kRows, testing::Values(Phase::gone)),
                         name_of_row_and_phase);

// Requests of zeroes that are answered whole wherever they are legal.
class WholeAnswer : public EveryRequest {};

TEST_P(WholeAnswer, HasTheSizeOfTheNumber) {
  init_and_start();

  auto answer = ask(GetParam().number, request_);

  EXPECT_EQ(answer.value().size(), _IOC_SIZE(GetParam().number));
}

std::vector<IoctlRow> whole_answers() {
  std::vector<IoctlRow> rows;
  for (uint32_t number : {VTPM_GET_CAPABILITY, VTPM_GET_TPMESTABLISHED, VTPM_GET_CONFIG,
                          VTPM_SET_BUFFERSIZE, VTPM_GET_INFO, VTPM_GET_STATUS, VTPM_GET_DETAILS}) {
    rows.push_back(*find_ioctl(number));
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Rows, WholeAnswer, testing::ValuesIn(whole_answers()),
                         name_of_row<testing::TestParamInfo<IoctlRow>>);

}  // namespace
}  // namespace vtpm
