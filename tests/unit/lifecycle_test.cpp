#include "engine/tpm/lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/source_tree.h"

namespace vtpm {
namespace {

void add_cell(std::string& row, std::string_view cell) {
  row.append(" ").append(cell).append(" |");
}

// The matrix as docs/lifecycle.md has to show it.
std::string matrix_for_people() {
  std::string text = "| state |";
  std::string rule = "|---|";
  for (Event event : kEvents) {
    add_cell(text, name(event));
    rule += "---|";
  }
  text.append("\n").append(rule).append("\n");
  for (TpmState state : kStates) {
    text += "|";
    add_cell(text, name(state));
    for (Event event : kEvents) {
      auto next = next_state(state, event);
      add_cell(text, next ? name(*next) : "-");
    }
    text += "\n";
  }
  return text;
}

// What may be done in which state, likewise.
std::string uses_for_people() {
  std::string text = "| state | reported as | commands get |";
  std::string rule = "|---|---|---|";
  for (Use use : kUses) {
    add_cell(text, name(use));
    rule += "---|";
  }
  text.append("\n").append(rule).append("\n");
  for (TpmState state : kStates) {
    text += "|";
    add_cell(text, name(state));
    add_cell(text, name(phase_of(state)));
    add_cell(text, name(commands_in(state)));
    for (Use use : kUses) {
      add_cell(text, check_use(state, use) ? "yes" : "-");
    }
    text += "\n";
  }
  return text;
}

std::string lifecycle_page() {
  std::ifstream file(source_file("docs/lifecycle.md"));
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Lifecycle, DocumentedMatrix_IsTheCodes) {
  EXPECT_THAT(lifecycle_page(), testing::HasSubstr("\n" + matrix_for_people() + "\n"));
}

TEST(Lifecycle, DocumentedUses_AreTheCodes) {
  EXPECT_THAT(lifecycle_page(), testing::HasSubstr("\n" + uses_for_people() + "\n"));
}

TEST(Lifecycle, DocumentedMatrix_IsThereOnce) {
  std::string page = lifecycle_page();

  EXPECT_EQ(page.find("| state | init |"), page.rfind("| state | init |"));
}

class LivingState : public testing::TestWithParam<TpmState> {};

TEST_P(LivingState, Init_LeadsToOn) {
  EXPECT_EQ(next_state(GetParam(), Event::init), TpmState::on);
}

TEST_P(LivingState, Resume_LeadsToStarted) {
  EXPECT_EQ(next_state(GetParam(), Event::resume), TpmState::started);
}

TEST_P(LivingState, Stop_LeadsToOff) {
  EXPECT_EQ(next_state(GetParam(), Event::stop), TpmState::off);
}

TEST_P(LivingState, Shutdown_LeadsToGone) {
  EXPECT_EQ(next_state(GetParam(), Event::shutdown), TpmState::gone);
}

TEST_P(LivingState, Fault_LeadsToFailed) {
  EXPECT_EQ(next_state(GetParam(), Event::fault), TpmState::failed);
}

std::string name_of_parameter(const auto& info) {
  return std::string(name(info.param));
}

INSTANTIATE_TEST_SUITE_P(States, LivingState,
                         testing::Values(TpmState::off, TpmState::waiting, TpmState::on,
                                         TpmState::started, TpmState::on_released,
                                         TpmState::started_released, TpmState::failed),
                         name_of_parameter<testing::TestParamInfo<TpmState>>);

class GoneState : public testing::TestWithParam<Event> {};

TEST_P(GoneState, NoEvent_LeadsAnywhere) {
  EXPECT_EQ(next_state(TpmState::gone, GetParam()), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Events, GoneState, testing::ValuesIn(kEvents),
                         name_of_parameter<testing::TestParamInfo<Event>>);

TEST(Lifecycle, ReleaseAndReclaim_LeadBackToWhereTheTpmWas) {
  EXPECT_EQ(next_state(TpmState::on, Event::release), TpmState::on_released);
  EXPECT_EQ(next_state(TpmState::on_released, Event::reclaim), TpmState::on);
  EXPECT_EQ(next_state(TpmState::started, Event::release), TpmState::started_released);
  EXPECT_EQ(next_state(TpmState::started_released, Event::reclaim), TpmState::started);
}

TEST(Lifecycle, WriteWhileReleased_IsBusyAndWhileOffIsTheWrongPhase) {
  EXPECT_EQ(check_use(TpmState::started_released, Use::write).error().code, Errc::busy);
  EXPECT_EQ(check_use(TpmState::off, Use::write).error().code, Errc::wrong_phase);
}

TEST(PhaseNames, EachPhase_HasAWord) {
  EXPECT_EQ(name(Phase::off), "off");
  EXPECT_EQ(name(Phase::on), "on");
  EXPECT_EQ(name(Phase::failed), "failed");
  EXPECT_EQ(name(Phase::gone), "gone");
}

}  // namespace
}  // namespace vtpm
