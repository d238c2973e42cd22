#include "ctl/config/suggestion.h"

#include <algorithm>

namespace vtpm {
namespace {

// Optimal string alignment, in three rows.
size_t slips_between(const std::string& a, const std::string& b) {
  std::vector<size_t> before_last(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    last[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t other = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({other, last[j] + 1, row[j - 1] + 1});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      row[j] = swapped ? std::min(row[j], before_last[j - 2] + 1) : row[j];
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> nearest(const std::string& word,
                                   const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 64;
  std::optional<std::string> best;
  size_t fewest = 0;
  for (const std::string& candidate : candidates) {
    if (word.size() > kLongest) {
      break;
    }
    size_t slips = slips_between(word, candidate);
    bool close = slips <= std::max<size_t>(1, candidate.size() / 3);
    if (close && (!best || slips < fewest)) {
      best = candidate;
      fewest = slips;
    }
  }
  return best;
}

}  // namespace vtpm
