#include "engine/tpm/phase.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/source_tree.h"

namespace vtpm {
namespace {

// The matrix as docs/lifecycle.md has to show it.
std::string matrix_for_people() {
  std::string text = "| phase |";
  std::string rule = "|---|";
  for (Event event : kEvents) {
    text += " " + std::string(name(event)) + " |";
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (Phase phase : kPhases) {
    text += "| " + std::string(name(phase)) + " |";
    for (Event event : kEvents) {
      auto next = next_phase(phase, event);
      text += " " + std::string(next ? name(*next) : "-") + " |";
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

TEST(Lifecycle, DocumentedMatrix_IsThereOnce) {
  std::string page = lifecycle_page();

  EXPECT_EQ(page.find("| phase | init |"), page.rfind("| phase | init |"));
}

class LivingPhase : public testing::TestWithParam<Phase> {};

TEST_P(LivingPhase, Init_LeadsToOn) {
  EXPECT_EQ(next_phase(GetParam(), Event::init), Phase::on);
}

TEST_P(LivingPhase, Stop_LeadsToOff) {
  EXPECT_EQ(next_phase(GetParam(), Event::stop), Phase::off);
}

TEST_P(LivingPhase, Shutdown_LeadsToGone) {
  EXPECT_EQ(next_phase(GetParam(), Event::shutdown), Phase::gone);
}

TEST_P(LivingPhase, Fault_LeadsToFailed) {
  EXPECT_EQ(next_phase(GetParam(), Event::fault), Phase::failed);
}

std::string name_of_parameter(const auto& info) {
  return std::string(name(info.param));
}

INSTANTIATE_TEST_SUITE_P(Phases, LivingPhase, testing::Values(Phase::off, Phase::on, Phase::failed),
                         name_of_parameter<testing::TestParamInfo<Phase>>);

class GonePhase : public testing::TestWithParam<Event> {};

TEST_P(GonePhase, NoEvent_LeadsAnywhere) {
  EXPECT_EQ(next_phase(Phase::gone, GetParam()), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Events, GonePhase, testing::ValuesIn(kEvents),
                         name_of_parameter<testing::TestParamInfo<Event>>);

TEST(PhaseNames, EachPhaseAndEvent_HasAWord) {
  EXPECT_EQ(name(Phase::off), "off");
  EXPECT_EQ(name(Phase::on), "on");
  EXPECT_EQ(name(Phase::failed), "failed");
  EXPECT_EQ(name(Phase::gone), "gone");
  EXPECT_EQ(name(Event::init), "init");
  EXPECT_EQ(name(Event::stop), "stop");
  EXPECT_EQ(name(Event::shutdown), "shutdown");
  EXPECT_EQ(name(Event::fault), "fault");
}

}  // namespace
}  // namespace vtpm
