#include "cuse/sandbox/own_descriptors.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <string_view>

namespace vtpm {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

constexpr const char* kDescriptors = "/proc/self/fd";

// Of a path that cannot be followed as it is written: an empty one would allow everything.
std::string resolved(const std::string& path) {
  std::error_code unreachable;
  auto followed = std::filesystem::weakly_canonical(path, unreachable);
  return unreachable || followed.empty() ? std::filesystem::absolute(path).lexically_normal()
                                         : followed;
}

// The path itself or what is in it: "/dev/sda" does not stand for "/dev/sda1".
bool is_at_or_in(const std::string& target, const std::string& path) {
  return target == path || target.starts_with(path.ends_with('/') ? path : path + "/");
}

bool is_own(int number, const std::string& target, const OwnDescriptors& own) {
  return number <= STDERR_FILENO || std::ranges::find(own.numbers, number) != own.numbers.end() ||
         std::ranges::any_of(own.paths, [&](const std::string& path) {
           return !path.empty() && is_at_or_in(target, resolved(path));
         });
}

}  // namespace

Result<void> check_descriptors(const OwnDescriptors& own) {
  std::unique_ptr<DIR, CloseDirectory> all(opendir(kDescriptors));
  if (!all) {
    return system_failure(std::string("cannot read ") + kDescriptors, errno);
  }
  while (const dirent* entry = readdir(all.get())) {  // NOLINT: a stream of this thread's own
    std::string_view name = static_cast<const char*>(entry->d_name);
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (number < 0 || number == dirfd(all.get())) {
      continue;
    }
    std::error_code gone;
    std::string target =
        std::filesystem::read_symlink(std::filesystem::path(kDescriptors) / name, gone);
    if (!gone && !is_own(number, target, own)) {
      return failure(Errc::denied, "descriptor " + std::to_string(number) + " is open on " +
                                       target + ", which is not vtpmd's own");
    }
  }
  return {};
}

}  // namespace vtpm
