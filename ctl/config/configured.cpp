#include "ctl/config/configured.h"

#include <algorithm>
#include <filesystem>

#include "ctl/config/settings.h"

namespace vtpm {

std::vector<std::string> configured_instances(const InstancePaths& paths) {
  constexpr std::string_view kSuffix = ".toml";
  std::vector<std::string> names;
  std::error_code ignored;  // no directory: no instances
  std::filesystem::directory_iterator entry(paths.configuration, ignored);
  for (; entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
    std::string file = entry->path().filename();
    if (!file.ends_with(kSuffix)) {
      continue;
    }
    std::string name = file.substr(0, file.size() - kSuffix.size());
    if (check_instance_name(name)) {
      names.push_back(name);
    }
  }
  std::ranges::sort(names);
  return names;
}

std::optional<std::string> configured_device(const InstancePaths& paths, const std::string& name) {
  auto settings = read_settings(paths.configuration_of(name));
  return settings ? value_of(*settings, "device") : std::nullopt;
}

Result<void> check_device_unclaimed(const InstancePaths& paths, const std::string& name,
                                    const std::string& device) {
  if (device == "auto") {
    return {};  // each gets one of its own
  }
  for (const std::string& other : configured_instances(paths)) {
    if (other != name && configured_device(paths, other) == device) {
      std::string message = "the device ";
      message.append(device).append(" is ").append(other).append("'s, as ");
      message.append(paths.configuration_of(other)).append(" says: say another one, or auto");
      return failure(Errc::busy, message);
    }
  }
  return {};
}

}  // namespace vtpm
