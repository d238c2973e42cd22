#include "ctl/tool/device/device_names.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

namespace vtpm {
namespace {

constexpr std::string_view kPrefix = "vtpm";
constexpr std::string_view kControlPrefix = "vtpmctl";
constexpr std::string_view kManagedPrefix = "vtpmrm";

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

// Where links are followed to; the path itself when it leads nowhere.
std::filesystem::path followed(const std::string& path) {
  std::error_code error;
  auto target = std::filesystem::canonical(path, error);
  return error ? std::filesystem::path(path) : target;
}

// "vtpm0" for "vtpm0", "vtpmrm0" and "vtpmctl0".
std::optional<std::string> device_called(std::string_view node) {
  for (std::string_view prefix : {kPrefix, kManagedPrefix, kControlPrefix}) {
    if (auto number = digits_after(prefix, node)) {
      return std::string(kPrefix) + std::string(*number);
    }
  }
  return std::nullopt;
}

// A node that was made by somebody else, as in a container, is the device of the same number.
std::optional<std::string> device_numbered(const DevicePaths& paths, const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISCHR(status.st_mode)) {
    return std::nullopt;
  }
  std::string wanted =
      std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));
  for (const std::string& device : list_devices(paths)) {
    std::string number_in_name = device.substr(kPrefix.size());
    for (std::string_view prefix : {kPrefix, kManagedPrefix}) {
      std::string number;
      std::ifstream(paths.cuse_class + "/" + std::string(prefix) + number_in_name + "/dev") >>
          number;
      if (number == wanted) {
        return device;
      }
    }
  }
  return std::nullopt;
}

std::optional<std::string> device_at(const DevicePaths& paths, const std::string& path) {
  auto target = followed(path);
  if (target.parent_path() == followed(paths.dev)) {
    if (auto device = device_called(target.filename().native())) {
      return device;
    }
  }
  return device_numbered(paths, path);
}

std::optional<std::string> by_name(const DevicePaths& paths, std::string_view name) {
  std::string link = paths.dev + "/vtpm/by-name/" + std::string(name);
  for (const std::string& candidate : {link, link + "-ctl"}) {
    if (exists(candidate)) {
      return candidate;
    }
  }
  return std::nullopt;
}

std::string node_of(const DevicePaths& paths, const std::string& device) {
  std::string control =
      paths.dev + "/" + std::string(kControlPrefix) + device.substr(kPrefix.size());
  return exists(control) ? control : paths.dev + "/" + device;
}

}  // namespace

std::optional<std::string> raw_device(const DevicePaths& paths, std::string_view name) {
  if (auto device = device_called(name)) {
    return device;
  }
  if (name.find('/') != std::string_view::npos) {
    return device_at(paths, std::string(name));
  }
  auto link = by_name(paths, name);
  return link ? device_at(paths, *link) : std::nullopt;
}

Result<std::string> control_node(const DevicePaths& paths, std::string_view name) {
  if (auto device = raw_device(paths, name)) {
    return node_of(paths, *device);
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

std::string managed_node(const DevicePaths& paths, const std::string& device) {
  if (!device.starts_with(kPrefix)) {
    return {};
  }
  std::string node = paths.dev + "/" + std::string(kManagedPrefix) + device.substr(kPrefix.size());
  return exists(node) ? node : "";
}

std::vector<std::string> links_to(const DevicePaths& paths, const std::string& device) {
  std::vector<std::string> links;
  std::error_code ignored;  // no directory: no links
  std::filesystem::directory_iterator entry(paths.dev + "/vtpm/by-name", ignored);
  for (; entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
    if (followed(entry->path()).filename() == device) {
      links.push_back(entry->path());
    }
  }
  std::ranges::sort(links);
  return links;
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
