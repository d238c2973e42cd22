#include "cuse/nodes/host_root.h"

#include <fcntl.h>
#include <linux/capability.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string_view>

#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

// Empty when it cannot be read; cut behind what a status file of the kernel's may have.
std::string read_file(const std::string& path) {
  constexpr size_t kMost = size_t{64} * 1024;
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));  // NOLINT
  std::string text;
  std::array<char, 4096> piece{};
  while (file && text.size() < kMost) {
    ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    text.append(piece.data(), static_cast<size_t>(got));
  }
  return text;
}

ThreadStanding standing_of(const std::string& thread) {
  return {read_file("/proc/" + thread + "/status"), read_file("/proc/" + thread + "/uid_map")};
}

// What stands behind "NAME:" on its line; nothing when there is no such line.
std::optional<std::string_view> field(std::string_view status, std::string_view name) {
  std::string start = "\n" + std::string(name) + ":";
  size_t at = status.find(start);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view rest = status.substr(at + start.size());
  rest = rest.substr(0, rest.find('\n'));
  size_t first = rest.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : rest.substr(first);
}

bool may_administer(const ThreadStanding& standing) {
  constexpr int kHexadecimal = 16;
  auto text = field(standing.status, "CapEff");
  uint64_t effective = 0;
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), effective, kHexadecimal).ec !=
          std::errc()) {
    return false;
  }
  return (effective >> CAP_SYS_ADMIN & 1U) != 0;
}

// In how many pid namespaces it has a number, of those that this /proc sees; a kernel without them
// has no such line.
size_t pid_namespaces(const ThreadStanding& standing) {
  std::istringstream numbers(std::string(field(standing.status, "NSpid").value_or("1")));
  size_t count = 0;
  for (std::string number; numbers >> number;) {
    ++count;
  }
  return count;
}

}  // namespace

bool is_root_beside(const ThreadStanding& opener, const ThreadStanding& daemon) {
  return may_administer(opener) && !opener.user_map.empty() && opener.user_map == daemon.user_map &&
         pid_namespaces(opener) <= pid_namespaces(daemon);
}

bool is_hosts_root(pid_t thread) {
  return thread > 0 && is_root_beside(standing_of(std::to_string(thread)), standing_of("self"));
}

bool can_recognise_root() {
  ThreadStanding first = standing_of("1");
  return !first.status.empty() && !first.user_map.empty();
}

}  // namespace vtpm
