#include "cuse/channel/device_registry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace vtpm {
namespace {

constexpr std::string_view kPrefix = "vtpm";

}  // namespace

std::optional<unsigned> index_of_device(const std::string& name) {
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  std::string_view digits = std::string_view(name).substr(kPrefix.size());
  unsigned index = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  bool canonical = digits == "0" || !digits.starts_with('0');
  if (error != std::errc() || end != digits.data() + digits.size() || !canonical ||
      index > kHighestIndex) {
    return std::nullopt;
  }
  return index;
}

std::string control_name(const std::string& name) {
  return "vtpmctl" + name.substr(kPrefix.size());
}

std::string managed_name(const std::string& name) {
  return "vtpmrm" + name.substr(kPrefix.size());
}

std::optional<DeviceNumbers> DeviceRegistry::numbers_of(const std::string& name) const {
  std::ifstream file(class_directory_ + "/" + name + "/dev");
  DeviceNumbers numbers{};
  char colon = 0;
  if (file >> numbers.major >> colon >> numbers.minor && colon == ':') {
    return numbers;
  }
  return std::nullopt;
}

unsigned DeviceRegistry::shared_major() const {
  for (const std::string& name : names()) {
    if (auto numbers = numbers_of(name)) {
      return numbers->major;
    }
  }
  return 0;
}

std::vector<std::string> DeviceRegistry::names() const {
  std::vector<std::string> found;
  std::error_code ignored;  // no class directory: no device
  for (const auto& entry : std::filesystem::directory_iterator(class_directory_, ignored)) {
    if (index_of_device(entry.path().filename())) {
      found.push_back(entry.path().filename());
    }
  }
  std::ranges::sort(found);
  return found;
}

Result<std::string> DeviceRegistry::free_name() const {
  for (unsigned index = 0; index <= kHighestIndex; ++index) {
    std::string name = std::string(kPrefix) + std::to_string(index);
    if (check_free(name) && check_free(control_name(name)) && check_free(managed_name(name))) {
      return name;
    }
  }
  return failure(Errc::busy, "all names from vtpm0 to vtpm65535 are taken");
}

Result<void> DeviceRegistry::check_free(const std::string& name) const {
  if (numbers_of(name)) {
    return failure(Errc::busy, "the device " + name +
                                   " exists already: another daemon serves it. Choose another "
                                   "name, or --device auto");
  }
  struct stat status {};
  if (lstat(node(name).c_str(), &status) == 0) {
    return failure(Errc::busy, node(name) +
                                   " exists already and is not a CUSE device. Remove it, or choose "
                                   "another name");
  }
  return {};
}

Result<void> DeviceRegistry::check_free(DeviceNumbers numbers) const {
  std::string pair = std::to_string(numbers.major) + ":" + std::to_string(numbers.minor);
  if (numbers.major != 0 && std::filesystem::exists(sys_ + "/dev/char/" + pair)) {
    return failure(Errc::busy,
                   "the device number " + pair + " is taken. Choose another with --minor");
  }
  return {};
}

FileDescriptor DeviceRegistry::open_uevent(const std::string& name) const {
  std::string path = class_directory_ + "/" + name + "/uevent";
  return FileDescriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC));  // NOLINT
}

Result<DeviceNumbers> DeviceRegistry::verify(const std::string& name) const {
  auto numbers = numbers_of(name);
  if (!numbers) {
    return failure(Errc::not_found, "the kernel made no device " + name);
  }
  struct stat status {};
  if (lstat(node(name).c_str(), &status) != 0) {
    return system_failure("the kernel made the device, but there is no " + node(name), errno);
  }
  if (!S_ISCHR(status.st_mode) || major(status.st_rdev) != numbers->major ||
      minor(status.st_rdev) != numbers->minor) {
    return failure(Errc::busy, node(name) + " belongs to something else");
  }
  return *numbers;
}

}  // namespace vtpm
