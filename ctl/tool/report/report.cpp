#include "ctl/tool/report/report.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace vtpm {

// Sees the facts of a report.
struct ReportAsJson {
  static nlohmann::ordered_json object(const Report& report);
  static nlohmann::ordered_json array(const std::vector<Report>& reports);
};

namespace {

using Json = nlohmann::ordered_json;

constexpr int kDeepest = 16;  // levels of JSON that a device may give
constexpr int kIndent = 2;

std::string dump(const Json& json) {
  // Text that is no UTF-8 gets replacement characters instead of ending the program.
  return json.dump(kIndent, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string spaces(size_t count) {
  return std::string(count, ' ');
}

std::string aligned(const std::string& label, size_t width, const std::string& words) {
  std::string line = label + spaces(width - label.size() + 2);
  for (char c : words) {
    line += c;
    if (c == '\n') {
      line += spaces(width + 2);
    }
  }
  return line + "\n";
}

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string aligned(const Lines& lines) {
  size_t width = 0;
  for (const auto& [label, words] : lines) {
    width = std::max(width, label.size());
  }
  std::string text;
  for (const auto& [label, words] : lines) {
    text += aligned(label, width, words);
  }
  return text;
}

Result<Json> parse(std::string_view text) {
  bool too_deep = false;
  auto limit = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kDeepest;
    return !too_deep;
  };
  Json json = Json::parse(text, limit, false);
  if (json.is_discarded() || too_deep) {
    return failure(Errc::corrupt, "the device's information is no JSON");
  }
  return json;
}

void flatten(const Json& json, const std::string& label, Lines& lines) {
  if (!json.is_structured()) {
    std::string words = json.is_string()
                            ? json.get<std::string>()
                            : json.dump(-1, ' ', false, Json::error_handler_t::replace);
    lines.emplace_back(printable(label), printable(words));
    return;
  }
  for (const auto& [key, value] : json.items()) {
    std::string inner = label.empty() ? "" : label + " ";
    inner += key;
    flatten(value, inner, lines);
  }
}

}  // namespace

Report& Report::add(std::string key, Value value, std::string words) {
  facts_.push_back({std::move(key), std::move(value), std::move(words)});
  return *this;
}

Report& Report::add_quietly(std::string key, Value value) {
  facts_.push_back({std::move(key), std::move(value), {}, true});
  return *this;
}

Report& Report::add_rows(std::string key, std::vector<Report> rows) {
  facts_.push_back({std::move(key), Value(), {}, true, std::move(rows)});
  return *this;
}

nlohmann::ordered_json ReportAsJson::object(const Report& report) {
  Json object = Json::object();
  for (const auto& fact : report.facts_) {
    object[fact.key] = fact.rows
                           ? array(*fact.rows)
                           : std::visit([](const auto& value) { return Json(value); }, fact.value);
  }
  return object;
}

nlohmann::ordered_json ReportAsJson::array(const std::vector<Report>& reports) {
  Json array = Json::array();
  for (const Report& report : reports) {
    array.push_back(object(report));
  }
  return array;
}

std::string Report::text() const {
  Lines lines;
  for (const Fact& fact : facts_) {
    std::string label = fact.key;
    std::ranges::replace(label, '_', ' ');
    if (!fact.quiet) {
      lines.emplace_back(label, fact.words);
    }
  }
  return aligned(lines);
}

std::string Report::json() const {
  return dump(ReportAsJson::object(*this));
}

std::string json_array(const std::vector<Report>& reports) {
  return dump(ReportAsJson::array(reports));
}

std::string error_as_json(const Error& error, int exit_status) {
  Report report;
  return add_error(report, error, exit_status).json();
}

Report& add_error(Report& report, const Error& error, int exit_status) {
  // By the order of Errc.
  constexpr std::array kKinds = {"not_found",   "invalid", "busy",        "denied", "corrupt",
                                 "unsupported", "io",      "wrong_phase", "tpm"};
  auto kind = static_cast<size_t>(error.code);
  return report.add("error", error.message, printable(error.message))
      .add_quietly("kind", kind < kKinds.size() ? kKinds.at(kind) : "unknown")
      .add_quietly("exit_status", static_cast<uint64_t>(exit_status))
      .add_quietly("tpm_result", uint64_t{error.tpm_result});
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i] + spaces(widths[i] - row[i].size() + 2);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

Result<std::string> json_again(std::string_view json) {
  return parse(json).map(dump);
}

Result<std::string> json_as_text(std::string_view json) {
  return parse(json).map([](const Json& parsed) {
    Lines lines;
    flatten(parsed, "", lines);
    return aligned(lines);
  });
}

std::string hex_text(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    text += kDigits[std::to_integer<size_t>(b >> 4)];
    text += kDigits[std::to_integer<size_t>(b & std::byte{0xf})];
  }
  return text;
}

std::string printable(std::string_view text) {
  std::string clean;
  for (char c : text) {
    bool control = (static_cast<unsigned char>(c) < 0x20) || c == 0x7f;
    std::byte byte{static_cast<unsigned char>(c)};
    clean += control ? "\\x" + hex_text(std::span(&byte, 1)) : std::string(1, c);
  }
  return clean;
}

}  // namespace vtpm
