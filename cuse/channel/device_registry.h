// Which vtpm devices this host has, and which name and numbers the next one gets.
//
// Names are vtpm0 to vtpm65535; beside vtpmN are vtpmrmN, the managed node, and vtpmctlN, the
// control node. All vtpm devices of a host share one major number; vtpmN has minor N, vtpmrmN
// 65536 + N (as the kernel numbers its own), vtpmctlN 131072 + N: with a major each,
// as the kernel gives by default, a host would run out at about 147 devices; and a number that
// follows from the name stays the same over restarts, which device cgroups and containers count on.
//
// Reads sysfs and /dev only. Threads: none of its own. What it says is true only as long as the
// caller keeps other daemons from creating devices (device_creation.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"

namespace vtpm {

struct DeviceNumbers {
  unsigned major;
  unsigned minor;
  friend bool operator==(const DeviceNumbers&, const DeviceNumbers&) = default;
};

inline constexpr unsigned kHighestIndex = 65535;

// From a raw node's minor number to those of the nodes beside it.
inline constexpr unsigned kManagedMinorOffset = 65536;
inline constexpr unsigned kControlMinorOffset = 131072;

// 7 for "vtpm7"; nothing for any other kind of name, "vtpm07" included.
std::optional<unsigned> index_of_device(const std::string& name);

// "vtpmctl7" and "vtpmrm7" for "vtpm7".
std::string control_name(const std::string& name);
std::string managed_name(const std::string& name);

class DeviceRegistry {
 public:
  // Where sysfs and the device nodes are; elsewhere in tests.
  explicit DeviceRegistry(std::string sys = "/sys", std::string dev = "/dev")
      : sys_(std::move(sys)), class_directory_(sys_ + "/class/cuse"), dev_(std::move(dev)) {}

  // The numbers the kernel gave to a CUSE device; nothing when there is none of that name.
  [[nodiscard]] std::optional<DeviceNumbers> numbers_of(const std::string& name) const;

  // The major number that vtpm devices have; 0 when there is none yet.
  [[nodiscard]] unsigned shared_major() const;

  // The free name with the lowest number, free for the nodes beside it too. Errors: busy when all
  // are taken.
  [[nodiscard]] Result<std::string> free_name() const;

  // Errors: busy, saying by what, when the name is in use.
  [[nodiscard]] Result<void> check_free(const std::string& name) const;

  // Errors: busy when a character device has those numbers. Major 0 is always free.
  [[nodiscard]] Result<void> check_free(DeviceNumbers numbers) const;

  // That the node exists and is the CUSE device of that name. Errors: not_found when the kernel has
  // no such device, busy when the node belongs to something else.
  [[nodiscard]] Result<DeviceNumbers> verify(const std::string& name) const;

  // For writing uevents of that device; empty when that is not permitted.
  [[nodiscard]] FileDescriptor open_uevent(const std::string& name) const;

  [[nodiscard]] std::string node(const std::string& name) const { return dev_ + "/" + name; }

  // The raw nodes' names of all TPMs of the host, sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::string sys_;
  std::string class_directory_;
  std::string dev_;
};

}  // namespace vtpm
