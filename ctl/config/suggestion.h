// What was meant by a misspelt word.
//
// Threads: a plain function.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace vtpm {

// The candidate that is fewest slips away (a letter too many, too few, another, two in the wrong
// order); nothing when even that one differs in more than a third of its letters.
std::optional<std::string> nearest(const std::string& word,
                                   const std::vector<std::string>& candidates);

}  // namespace vtpm
