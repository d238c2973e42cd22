#include "ctl/tool/device/path_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

bool is_there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

// From the root down, so that a directory which is not there yet is made under one that is watched
// already. False when the kernel has no more watches to give.
bool watch_directories(int watch, const std::filesystem::path& path) {
  std::filesystem::path directory;
  for (const auto& name : path.parent_path()) {
    directory /= name;
    constexpr uint32_t kAppears = IN_CREATE | IN_MOVED_TO;
    if (::inotify_add_watch(watch, directory.c_str(), kAppears) < 0) {
      return errno == ENOENT || errno == EACCES;  // by who may not list it nothing is seen either
    }
  }
  return true;
}

void drain(int watch) {
  std::array<char, 4096> events{};
  while (::read(watch, events.data(), events.size()) > 0) {
  }
}

}  // namespace

bool wait_for_path(const std::string& path, std::chrono::steady_clock::time_point deadline) {
  // Where the user has used all watches up, it is looked for now and then.
  constexpr std::chrono::milliseconds kUnwatched{20};
  if (is_there(path)) {
    return true;
  }
  FileDescriptor watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  for (;;) {
    bool watched = watch && watch_directories(watch.get(), path);
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (is_there(path) || left.count() <= 0) {
      return is_there(path);
    }
    pollfd poller{.fd = watch.get(), .events = POLLIN, .revents = 0};
    ::poll(&poller, 1, static_cast<int>((watched ? left : std::min(left, kUnwatched)).count()));
    drain(watch.get());
  }
}

}  // namespace vtpm
