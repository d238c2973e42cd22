// How often messages are told, so that nobody who can cause one can fill the log with it.
//
// Of a kind (one place in the source) three different texts are told in a minute, each once; more
// of that kind are counted, and the count is told when the minute is over. The minute begins with
// the first.
//
// Threads: one at a time. Units: a steady clock's, given by the caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vtpm {

class MessageLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Kind = std::pair<std::string_view, unsigned>;  // file and line; the text outlives this

  static constexpr std::chrono::minutes kPeriod{1};
  static constexpr size_t kTextsPerPeriod = 3;

  struct LeftOut {
    int level;  // as given with the kind's messages
    uint64_t count;
    std::string example;  // the kind's first text
  };

  // Whether to tell it.
  bool admit(const Kind& kind, int level, const std::string& text, Time now);

  // What was left out of kinds whose minute is over. Told once.
  std::vector<LeftOut> left_out(Time now);
  // The same of all kinds: at the end, when no more messages come.
  std::vector<LeftOut> left_out_so_far();

 private:
  struct Period {
    Time since;
    int level = 0;
    std::vector<std::string> told;
    uint64_t left_out = 0;
  };
  std::map<Kind, Period> periods_;
};

}  // namespace vtpm
