#include "cuse/daemon/message_limit.h"

#include <algorithm>

namespace vtpm {

bool MessageLimit::admit(const Kind& kind, int level, const std::string& text, Time now) {
  Period& period = periods_[kind];
  // What an earlier one left out has been asked for (left_out), or is carried on.
  if (period.told.empty() || now - period.since >= kPeriod) {
    period = Period{.since = now, .level = level, .told = {}, .left_out = period.left_out};
  }
  bool said = std::ranges::find(period.told, text) != period.told.end();
  if (said || period.told.size() >= kTextsPerPeriod) {
    ++period.left_out;
    return false;
  }
  period.told.push_back(text);
  return true;
}

std::vector<MessageLimit::LeftOut> MessageLimit::left_out(Time now) {
  std::vector<LeftOut> due;
  for (auto& [kind, period] : periods_) {
    if (period.left_out > 0 && now - period.since >= kPeriod) {
      due.push_back({period.level, std::exchange(period.left_out, 0), period.told.front()});
    }
  }
  return due;
}

std::vector<MessageLimit::LeftOut> MessageLimit::left_out_so_far() {
  return left_out(Time::max());
}

}  // namespace vtpm
