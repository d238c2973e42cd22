#include "cuse/daemon/configured_arguments.h"

#include <algorithm>
#include <array>
#include <optional>

#include "ctl/config/settings.h"

namespace vtpm {
namespace {

// What is about one run of the program, not about the TPM.
constexpr std::array kCommandLineOnly = {"help",   "version", "name",
                                         "config", "check",   "make-state"};

// The word behind "--key" or "--key="; the last one counts.
std::optional<std::string> value_in(const Words& words, const std::string& key) {
  std::optional<std::string> value;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with("--" + key + "=")) {
      value = words[i].substr(key.size() + 3);
    } else if (words[i] == "--" + key && i + 1 < words.size()) {
      value = words[i + 1];
    }
  }
  return value;
}

bool mentions(const Words& words, const std::string& key) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return word == "--" + key || word.starts_with("--" + key + "=");
  });
}

}  // namespace

Result<Words> with_configuration(const Words& command_line, const InstancePaths& paths,
                                 const std::function<bool(const std::string& key)>& is_option) {
  Words words = command_line;
  auto name = value_in(command_line, "name");
  auto file = value_in(command_line, "config");
  if (name) {
    if (auto valid = check_instance_name(*name); !valid) {
      return tl::unexpected(valid.error());
    }
    file = file.value_or(paths.configuration_of(*name));
  }
  auto settings = file ? read_settings(*file) : std::vector<Setting>();
  if (!settings) {
    return tl::unexpected(settings.error());
  }
  for (const Setting& setting : *settings) {
    bool reserved = std::ranges::find(kCommandLineOnly, setting.key) != kCommandLineOnly.end();
    if (reserved || !is_option(setting.key)) {
      return failure(Errc::invalid, *file + ":" + std::to_string(setting.line) + ": '" +
                                        setting.key + "' is no option that can stand here");
    }
    if (mentions(command_line, setting.key)) {
      continue;
    }
    for (const std::string& value : setting.values) {
      words.push_back("--" + setting.key + "=" + value);
    }
  }
  if (name && !mentions(words, "state")) {
    words.push_back("--state=" + paths.state_of(*name).describe());
  }
  return words;
}

}  // namespace vtpm
