#include "ctl/tool/device_names.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace vtpm {
namespace {

constexpr std::string_view kPrefix = "vtpm";
constexpr std::string_view kControlPrefix = "vtpmctl";

// The digits after `prefix` when they are all there is.
std::optional<std::string_view> digits_after(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) {
    return std::nullopt;
  }
  std::string_view digits = name.substr(prefix.size());
  bool all = std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  return all ? std::optional(digits) : std::nullopt;
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

std::optional<std::string> by_name(const DevicePaths& paths, std::string_view name) {
  std::string link = paths.dev + "/vtpm/by-name/" + std::string(name);
  for (const std::string& candidate : {link + "-ctl", link}) {
    if (exists(candidate)) {
      return candidate;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> control_node(const DevicePaths& paths, std::string_view name) {
  std::string_view base = name;
  if (base.starts_with(paths.dev + "/")) {
    base.remove_prefix(paths.dev.size() + 1);
  }
  if (auto number = digits_after(kPrefix, base)) {
    std::string control = paths.dev + "/" + std::string(kControlPrefix) + std::string(*number);
    return exists(control) ? control : paths.dev + "/" + std::string(base);
  }
  if (digits_after(kControlPrefix, base)) {
    return paths.dev + "/" + std::string(base);
  }
  if (name.find('/') != std::string_view::npos) {
    return std::string(name);
  }
  if (auto node = by_name(paths, name)) {
    return *node;
  }
  return failure(Errc::not_found, "there is no device and no VM called " + std::string(name) +
                                      "; vtpmctl list shows the devices that are there");
}

std::vector<std::string> list_devices(const DevicePaths& paths) {
  std::vector<std::string> names;
  std::error_code ignored;  // no class directory: no devices
  std::filesystem::directory_iterator entry(paths.cuse_class, ignored);
  for (; entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
    std::string name = entry->path().filename();
    if (digits_after(kPrefix, name)) {
      names.push_back(name);
    }
  }
  std::ranges::sort(names, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return names;
}

}  // namespace vtpm
