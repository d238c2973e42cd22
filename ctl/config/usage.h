// What both programs do when CLI11 ends the parsing of a command line, and how their help looks.
//
// Threads: plain functions.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "ctl/config/suggestion.h"

namespace vtpm {

// One line for each option: its name, its value, its sentence, and the default if there is one.
class PlainHelp : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    bool named = option->get_type_size() != 0 && !option->get_type_name().empty();
    return named ? " " + option->get_type_name() : std::string();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    text += option->get_required() && !option->get_positional() ? " (has to be given)" : "";
    std::string standard = option->get_default_str();
    return standard.empty() ? text : text + " (default: " + standard + ")";
  }
};

// For an app and its subcommands. What CLI11 would print of the checks of a value is said by the
// value's name.
inline void use_plain_help(CLI::App& app) {
  app.formatter(std::make_shared<PlainHelp>());
  for (CLI::Option* option : app.get_options()) {
    try {
      option->get_validator()->description("");
    } catch (const CLI::OptionNotFound&) {  // it has none
    }
  }
  for (CLI::App* sub : app.get_subcommands(nullptr)) {
    use_plain_help(*sub);
  }
}

// The innermost of the subcommands that were given, and their names in order.
inline const CLI::App& innermost(const CLI::App& app, std::string& names) {
  const CLI::App* inner = &app;
  names = app.get_name();
  while (!inner->get_subcommands().empty()) {
    inner = inner->get_subcommands().front();
    names += " " + inner->get_name();
  }
  return *inner;
}

// Of a word that nobody expected, the end of a sentence about what may have been meant, or nothing:
// a word that stands before its verb, a misspelt option, a misspelt verb.
inline std::string meant_by(const CLI::App& app, const std::string& word) {
  std::string names;
  const CLI::App& inner = innermost(app, names);
  std::vector<std::string> candidates;
  if (word.starts_with("-")) {
    for (const CLI::Option* option : inner.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        candidates.push_back("--" + name);
      }
    }
  } else if (&inner != &app && inner.remaining().empty()) {
    return "; the right order is: " + names + " " + word;
  } else {
    for (const CLI::App* sub : inner.get_subcommands(nullptr)) {
      candidates.push_back(sub->get_name());
    }
  }
  auto near = nearest(word.substr(0, word.find('=')), candidates);
  return near ? "; did you mean " + *near + "?" : std::string();
}

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
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    std::string meant = meant_by(app, unexpected.empty() ? "" : unexpected.front());
    app.exit(CLI::ParseError(error.what() + meant, CLI::ExitCodes::ExtrasError), out, err);
    return 2;
  }
  return app.exit(error, out, err) == 0 ? 0 : 2;
}

}  // namespace vtpm
