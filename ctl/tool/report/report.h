// What vtpmctl prints: facts with names, as aligned lines for people or as JSON for programs, and
// tables.
//
// Threads: plain values. Errors: corrupt for text that should have been JSON and is not.
// Text that came from a device is printed with its control characters written out, so that it
// cannot steer the reader's terminal.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/result.h"

namespace vtpm {

using Value = std::variant<bool, uint64_t, std::string, std::vector<std::string>>;

class Report {
 public:
  // `key` is the JSON name; people read it with spaces for underscores, and `words` for the value.
  // A line break in `words` goes on in the value's column.
  Report& add(std::string key, Value value, std::string words);
  // For values that people read as they are.
  Report& add(std::string key, const std::string& text) { return add(std::move(key), text, text); }
  Report& add(std::string key, uint64_t number) {
    return add(std::move(key), number, std::to_string(number));
  }

  // For programs only.
  Report& add_quietly(std::string key, Value value);
  Report& add_rows(std::string key, std::vector<Report> rows);

  // Lines of "label  words", each ended with a line break.
  [[nodiscard]] std::string text() const;
  // One JSON object, ended with a line break.
  [[nodiscard]] std::string json() const;

 private:
  struct Fact {
    std::string key;
    Value value;
    std::string words;
    bool quiet = false;
    std::optional<std::vector<Report>> rows{};  // in place of the value
  };

  friend struct ReportAsJson;
  std::vector<Fact> facts_;
};

// One JSON array with an object for each report, ended with a line break.
std::string json_array(const std::vector<Report>& reports);

// {"error": what people are told, "kind": "denied", "exit_status": 1, "tpm_result": 0}.
std::string error_as_json(const Error& error, int exit_status);

// The same fields, behind those that the report has.
Report& add_error(Report& report, const Error& error, int exit_status);

// Columns as wide as their widest cell; the first row is the headline.
std::string table(const std::vector<std::vector<std::string>>& rows);

// The same JSON with our own line breaks, or as aligned lines "TPMSpecification family  2.0".
Result<std::string> json_again(std::string_view json);
Result<std::string> json_as_text(std::string_view json);

// Lower case, two digits for each byte.
std::string hex_text(ByteView bytes);

// Control characters written out as \xNN.
std::string printable(std::string_view text);

// The text in a field that should end with a NUL and may not.
template <size_t Size>
std::string text_in(const char (&field)[Size]) {  // NOLINT: the ABI has arrays
  return {field, std::find(field, field + Size, '\0')};
}

}  // namespace vtpm
