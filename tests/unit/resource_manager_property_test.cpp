// Random commands of several clients through the resource manager, held against a TPM with slots
// for all. VTPM_SEQUENCES says how many sequences (10000 in `tests/dev soak`), VTPM_SEED where they
// begin; a failure tells its seed and the shortest sequence that fails.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "tests/support/environment.h"
#include "tests/support/managed_and_direct.h"

namespace vtpm {
namespace {

std::vector<Step> random_steps(uint64_t seed) {
  std::mt19937_64 random(seed);  // NOLINT: the same numbers for the same seed are the point
  std::vector<Step> steps(20 + random() % 100);
  for (Step& step : steps) {
    uint64_t bits = random();
    step = {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8),
            static_cast<uint8_t>(bits >> 16), static_cast<uint8_t>(bits >> 24)};
    // What ends everything is rare.
    constexpr uint8_t kClear = 25;
    constexpr uint8_t kReset = 26;
    bool is_rare = step.what % 32 == kClear || step.what % 32 == kReset;
    step.what = is_rare && bits >> 60 != 0 ? 5 : step.what;
  }
  return steps;
}

std::string text_of(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps) {
    text += "\n  " + describe(step);
  }
  return text;
}

TEST(ManagedCommands, RandomSequences_AreAnsweredAsByATpmWithEnoughSlots) {
  uint64_t first = number_from_environment("VTPM_SEED", 1);
  uint64_t count = number_from_environment("VTPM_SEQUENCES", 300);
  std::cout << "seeds " << first << " to " << first + count - 1 << std::endl;

  for (uint64_t seed = first; seed < first + count; ++seed) {
    std::vector<Step> steps = random_steps(seed);
    auto difference = ManagedAndDirect().run(steps);
    ASSERT_FALSE(difference.has_value())
        << "seed " << seed << ": " << *difference << "\nshortest:" << text_of(shrink(steps));
  }
}

}  // namespace
}  // namespace vtpm
