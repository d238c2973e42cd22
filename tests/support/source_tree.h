// Where the checkout lies that the tests were built from, for the files that tests read from it.
// One unit alone knows it, so that a compiler cache serves checkouts in other places too.
#pragma once

#include <string>

namespace vtpm {

// `name`: "docs/lifecycle.md"
std::string source_file(const std::string& name);

}  // namespace vtpm
