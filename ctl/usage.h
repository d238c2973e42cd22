// What both programs do when CLI11 ends the parsing of a command line.
//
// Threads: a plain function.
#pragma once

#include <CLI/CLI.hpp>
#include <ostream>

namespace vtpm {

// Prints help and version to `out`, what is wrong to `err`. The exit status: 0 when a question was
// answered, 2 for wrong usage. An argument that nobody expects is named even when something else is
// missing, since it is most likely a misspelling of that.
inline int end_of_parsing(const CLI::App& app, const CLI::ParseError& error, std::ostream& out,
                          std::ostream& err) {
  auto unexpected = app.remaining(true);
  bool misspelled = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
                    !unexpected.empty();
  if (misspelled) {
    return end_of_parsing(app, CLI::ExtrasError(unexpected), out, err);
  }
  return app.exit(error, out, err) == 0 ? 0 : 2;
}

}  // namespace vtpm
