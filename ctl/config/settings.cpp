#include "ctl/config/settings.h"

#include <fcntl.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>

#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

constexpr size_t kLargestFile = size_t{64} * 1024;

tl::unexpected<Error> invalid(const std::string& path, unsigned line, const std::string& what) {
  return failure(Errc::invalid, path + ":" + std::to_string(line) + ": " + what);
}

Result<std::string> read_text(const std::string& path) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // NOLINT
  if (!file) {
    return system_failure("cannot read " + path, errno);
  }
  std::string text;
  std::array<char, 4096> piece{};
  ssize_t got = 0;
  while ((got = ::read(file.get(), piece.data(), piece.size())) > 0) {
    text.append(piece.data(), static_cast<size_t>(got));
    if (text.size() > kLargestFile) {
      return failure(Errc::invalid, path + " is larger than a configuration may be (64 KiB)");
    }
  }
  if (got < 0) {
    return system_failure("cannot read " + path, errno);
  }
  return text;
}

std::optional<std::string> word_of(const toml::node& node) {
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  if (const auto* number = node.as_integer()) {
    return std::to_string(number->get());
  }
  if (const auto* flag = node.as_boolean()) {
    return flag->get() ? "true" : "false";
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> words_of(const toml::node& node) {
  std::vector<std::string> words;
  const auto* list = node.as_array();
  if (list == nullptr) {
    auto word = word_of(node);
    return word ? std::optional(std::vector{*word}) : std::nullopt;
  }
  for (const toml::node& element : *list) {
    auto word = word_of(element);
    if (!word) {
      return std::nullopt;
    }
    words.push_back(*word);
  }
  return words;
}

}  // namespace

Result<std::vector<Setting>> read_settings(const std::string& path) {
  auto text = read_text(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  std::vector<Setting> settings;
  try {
    toml::table table = toml::parse(*text, path);
    for (const auto& [key, node] : table) {
      unsigned line = node.source().begin.line;
      auto words = words_of(node);
      if (!words) {
        return invalid(path, line,
                       "'" + std::string(key.str()) +
                           "' has no value that an option takes: a string, a whole number, true, "
                           "false, or a list of these");
      }
      settings.push_back({std::string(key.str()), std::move(*words), line});
    }
  } catch (const toml::parse_error& error) {
    return invalid(path, error.source().begin.line, std::string(error.description()));
  }
  std::sort(settings.begin(), settings.end(),
            [](const Setting& a, const Setting& b) { return a.line < b.line; });
  return settings;
}

std::optional<std::string> value_of(const std::vector<Setting>& settings, const std::string& key) {
  for (const Setting& setting : settings) {
    if (setting.key == key && setting.values.size() == 1) {
      return setting.values.front();
    }
  }
  return std::nullopt;
}

std::string setting_line(const std::string& key, const std::string& value) {
  bool bare =
      value == "true" || value == "false" ||
      (!value.empty() && value.size() < 10 && value != "0" && value.front() != '0' &&
       std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }));
  std::ostringstream line;
  line << key << " = ";
  if (bare) {
    line << value;
  } else {
    line << toml::value<std::string>(value);
  }
  line << "\n";
  return line.str();
}

}  // namespace vtpm
