#include "engine/base/state_location.h"

#include <array>

namespace vtpm {

Result<StateLocation> parse_state_location(const std::string& text) {
  constexpr std::array kFormats = {std::pair{std::string_view("file:"), StateFormat::file},
                                   std::pair{std::string_view("dir:"), StateFormat::dir}};
  for (const auto& [prefix, format] : kFormats) {
    if (text.starts_with(prefix) && text.size() > prefix.size()) {
      return StateLocation{format, text.substr(prefix.size())};
    }
  }
  return failure(Errc::invalid, "'" + text +
                                    "' is no state location: say file:PATH, a file or block "
                                    "device, or dir:PATH, a directory in swtpm's layout");
}

}  // namespace vtpm
