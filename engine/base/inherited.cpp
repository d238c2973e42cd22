#include "engine/base/inherited.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace vtpm {
namespace {

constexpr std::array<std::string_view, 2> kDirectories = {"/dev/fd/", "/proc/self/fd/"};
constexpr std::array<std::string_view, 2> kNames = {"fd=", "pwdfd="};
constexpr std::string_view kSeparators = ",=";

// The number that `text` begins with.
std::optional<int> leading_number(std::string_view text) {
  int number = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && number >= 0 ? std::optional(number) : std::nullopt;
}

// What follows `what`, wherever it begins a word or stands behind a separator.
void collect(std::string_view word, std::string_view what, std::vector<int>& found) {
  for (size_t at = word.find(what); at != std::string_view::npos; at = word.find(what, at + 1)) {
    bool begins = at == 0 || kSeparators.find(word[at - 1]) != std::string_view::npos ||
                  what.starts_with('/');
    auto number = begins ? leading_number(word.substr(at + what.size())) : std::nullopt;
    if (number) {
      found.push_back(*number);
    }
  }
}

bool close_from_to(unsigned first, unsigned last) {
  return first > last || syscall(SYS_close_range, first, last, 0) == 0;
}

}  // namespace

void take_standard_descriptors() {
  for (int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(number, F_GETFD) >= 0) {
      continue;
    }
    // The lowest free number is this one. Where there is no /dev/null, something that can neither
    // be read nor written. NOLINTNEXTLINE: the C interface
    if (::open("/dev/null", O_RDWR) < 0 && ::open("/", O_PATH) < 0) {
      std::_Exit(EXIT_FAILURE);  // there is nobody to tell
    }
  }
}

std::optional<int> descriptor_of_path(std::string_view path) {
  for (std::string_view directory : kDirectories) {
    if (path.starts_with(directory)) {
      auto number = leading_number(path.substr(directory.size()));
      bool whole = number && std::to_string(*number) == path.substr(directory.size());
      return whole ? number : std::nullopt;
    }
  }
  return std::nullopt;
}

std::vector<int> descriptors_named_in(const std::vector<std::string>& words) {
  std::vector<int> found;
  for (const std::string& word : words) {
    for (std::string_view what : kNames) {
      collect(word, what, found);
    }
    for (std::string_view what : kDirectories) {
      collect(word, what, found);
    }
  }
  return found;
}

Result<void> close_inherited_but(std::vector<int> kept) {
  std::ranges::sort(kept);
  unsigned first = STDERR_FILENO + 1;
  for (int number : kept) {
    if (fcntl(number, F_GETFD) < 0) {
      return failure(Errc::invalid, "descriptor " + std::to_string(number) +
                                        ", which an option names, is not open");
    }
    auto own = static_cast<unsigned>(number);
    if (own >= first) {
      if (!close_from_to(first, own - 1)) {
        return system_failure("cannot close the descriptors that were inherited", errno);
      }
      first = own + 1;
    }
  }
  if (!close_from_to(first, ~0U)) {
    return system_failure("cannot close the descriptors that were inherited", errno);
  }
  return {};
}

}  // namespace vtpm
