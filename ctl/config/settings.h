// An instance's configuration file: TOML with one key per option of vtpmd, by the option's long
// name
// ("buffer-size = 3968"). docs/operations.md has an example.
//
// Threads: plain functions. Errors: not_found, denied, io from the system; invalid, with file and
// line, for what is no TOML, is a table, or has a value that no option takes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"

namespace vtpm {

struct Setting {
  std::string key;
  std::vector<std::string> values;  // as they would stand on the command line; one, but for lists
  unsigned line;                    // in the file
};

// In the order of their lines.
Result<std::vector<Setting>> read_settings(const std::string& path);

// The value of the key when there is exactly one.
std::optional<std::string> value_of(const std::vector<Setting>& settings, const std::string& key);

// One line of a configuration file, with the value as TOML writes a string, a whole number, true or
// false.
std::string setting_line(const std::string& key, const std::string& value);

}  // namespace vtpm
