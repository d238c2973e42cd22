#include "cuse/channel/device_creation.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace vtpm {
namespace {

constexpr const char* kCuse = "/dev/cuse";

// How long another daemon's creation may take.
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kPause{10};
constexpr std::chrono::milliseconds kLongestPause{160};

Result<FileDescriptor> open_cuse() {
  FileDescriptor channel(::open(kCuse, O_RDWR | O_CLOEXEC));  // NOLINT
  if (channel) {
    return channel;
  }
  int error_number = errno;
  auto failed = system_failure(std::string("cannot open ") + kCuse, error_number);
  std::string& message = failed.value().message;
  if (error_number == EACCES || error_number == EPERM) {
    message += ". Run vtpmd as root, or as a member of a group that may open it";
  } else if (error_number == EMFILE) {
    message +=
        ". vtpmd needs about 32 descriptors: raise the limit (ulimit -n, LimitNOFILE= of a unit)";
  } else if (error_number == ENOENT || error_number == ENODEV || error_number == ENXIO) {
    message +=
        ". The kernel's cuse module makes it: run `modprobe cuse` as root; when there is no such "
        "module, install the package with the kernel's extra modules";
  }
  return failed;
}

// Held until every other daemon may see the new device. A lock on a descriptor of its own: the
// channel's lives as long as the device.
//
// The line may be as long as there are daemons, so patience begins again whenever it moves: when
// the devices of this host have become others.
Result<FileDescriptor> take_turn(const DeviceRegistry& registry) {
  auto lock = open_cuse();
  if (!lock) {
    return lock;
  }
  std::vector<std::string> seen = registry.names();
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::chrono::milliseconds pause = kPause;
  while (flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
    if (auto now = registry.names(); now != seen) {
      seen = std::move(now);
      deadline = std::chrono::steady_clock::now() + kPatience;
    } else if (std::chrono::steady_clock::now() >= deadline) {
      return failure(Errc::busy,
                     "another vtpmd holds its turn to make a device, and has made none for 30 "
                     "seconds; fuser /dev/cuse tells which processes to look at");
    }
  }
  return lock;
}

Result<void> check_free(const DeviceIdentity& identity, const DeviceRegistry& registry) {
  auto name_free = registry.check_free(identity.name);
  return name_free ? registry.check_free(DeviceNumbers{identity.major, identity.minor}) : name_free;
}

// The raw node's name and numbers.
Result<DeviceIdentity> choose_identity(const DeviceRequest& request,
                                       const DeviceRegistry& registry) {
  auto name = request.name.empty() ? registry.free_name() : request.name;
  if (!name) {
    return tl::unexpected(name.error());
  }
  DeviceIdentity identity{*name, request.major, 0};
  identity.minor = request.minor >= 0 ? static_cast<unsigned>(request.minor)
                                      : index_of_device(*name).value_or(0);
  if (identity.major == 0) {
    identity.major = registry.shared_major();
  }
  return identity;
}

DeviceIdentity control_identity(const DeviceIdentity& raw) {
  return {control_name(raw.name), raw.major, raw.minor + kControlMinorOffset};
}

DeviceIdentity managed_identity(const DeviceIdentity& raw) {
  return {managed_name(raw.name), raw.major, raw.minor + kManagedMinorOffset};
}

Result<CreatedNode> attempt(const DeviceIdentity& identity, const DeviceRegistry& registry,
                            Node& node) {
  auto cuse = open_cuse();
  if (!cuse) {
    return tl::unexpected(cuse.error());
  }
  auto channel = CreatedChannel::create(std::move(*cuse), identity);
  if (!channel) {
    return tl::unexpected(channel.error());
  }
  auto numbers = registry.verify(identity.name);
  if (!numbers) {
    return tl::unexpected(numbers.error());
  }
  return CreatedNode{identity.name, *numbers,
                     std::make_unique<CuseSession>(std::move(*channel), node)};
}

Result<CreatedNode> create_node(const DeviceIdentity& identity, const DeviceRegistry& registry,
                                Node& node) {
  if (auto free = check_free(identity, registry); !free) {
    return tl::unexpected(free.error());
  }
  // An old device leaves the kernel's tables in steps, so a name that looks free may be refused for
  // a moment.
  constexpr int kAttempts = 20;
  for (int left = kAttempts;; --left) {
    auto created = attempt(identity, registry, node);
    if (created || created.error().code != Errc::not_found || left == 1) {
      return created;
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Result<void> check_cuse() {
  auto channel = open_cuse();
  return channel ? Result<void>() : tl::unexpected(channel.error());
}

Result<CreatedDevice> create_device(const DeviceRequest& request, const DeviceRegistry& registry,
                                    const DeviceNodes& nodes) {
  auto turn = take_turn(registry);
  if (!turn) {
    return tl::unexpected(turn.error());
  }
  auto identity = choose_identity(request, registry);
  if (!identity) {
    return tl::unexpected(identity.error());
  }
  if (auto free = check_free(*identity, registry); !free) {
    return tl::unexpected(free.error());
  }
  if (auto prepared = request.prepare(identity->name); !prepared) {
    return tl::unexpected(prepared.error());
  }
  auto control = create_node(control_identity(*identity), registry, nodes.control);
  if (!control) {
    return tl::unexpected(control.error());
  }
  identity->major = control->numbers.major;
  std::optional<CreatedNode> managed;
  if (nodes.managed != nullptr) {
    auto created = create_node(managed_identity(*identity), registry, *nodes.managed);
    if (!created) {
      return tl::unexpected(created.error());
    }
    managed = std::move(*created);
  }
  auto raw = create_node(*identity, registry, nodes.raw);
  if (!raw) {
    return tl::unexpected(raw.error());
  }
  return CreatedDevice{std::move(*control), std::move(managed), std::move(*raw)};
}

}  // namespace vtpm
