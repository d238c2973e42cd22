#include "cuse/channel/udev_properties.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

std::string lines_of(const NodeProperties& properties) {
  std::string text = std::string("VTPM_NODE=") + properties.kind + "\n";
  auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) {
      text += std::string(key) + "=" + value + "\n";
    }
  };
  add("VTPM_NAME", properties.name);
  add("VTPM_OWNER", properties.permissions.owner);
  add("VTPM_GROUP", properties.permissions.group);
  add("VTPM_MODE", properties.permissions.mode);
  return text;
}

bool is_empty(const NodeProperties& properties) {
  const NodePermissions& permissions = properties.permissions;
  return properties.name.empty() && permissions.owner.empty() && permissions.group.empty() &&
         permissions.mode.empty();
}

}  // namespace

Result<void> write_node_properties(const std::string& directory, const std::string& node,
                                   const NodeProperties& properties) {
  constexpr mode_t kMode = 0644;
  std::string path = directory + "/" + node;
  if (is_empty(properties)) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
      return system_failure("cannot remove " + path, errno);
    }
    return {};
  }
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return system_failure("cannot make " + directory, error.value());
  }
  ::unlink(path.c_str());
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             kMode));  // NOLINT
  std::string text = lines_of(properties);
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return system_failure("cannot write " + path, errno);
  }
  return {};
}

}  // namespace vtpm
