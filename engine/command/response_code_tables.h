// The names and meanings that response_codes.h draws from, as constant tables.
//
// Threads: constants. Numbers are base numbers: without the bits that say which table they are of.
// Each table is sorted by number.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace vtpm {

struct CodeRow {
  uint16_t number;
  std::string_view name;
  std::string_view meaning;
};

std::span<const CodeRow> tpm20_format_one_codes();  // RC_FMT1 + number
std::span<const CodeRow> tpm20_error_codes();       // RC_VER1 + number
std::span<const CodeRow> tpm20_warning_codes();     // RC_WARN + number
std::span<const CodeRow> tpm12_codes();             // the whole number

// Nothing when the table has no such number.
const CodeRow* find_code(std::span<const CodeRow> table, uint32_t number);

}  // namespace vtpm
