// Makes a TPM's device nodes through /dev/cuse and sees to it that they really are ours.
//
// The kernel does not report failures to create a device (a name or number that is taken): it
// closes the channel. So the name is checked before, the device is verified after, and the kernel's
// late removal of an old device of the same name is waited for.
//
// Daemons that create devices at the same time take turns by a lock on /dev/cuse itself, from the
// choice of a name until the device is there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cuse/channel/cuse_session.h"
#include "cuse/channel/device_registry.h"

namespace vtpm {

// That devices can be made here: for failing early, before any state is touched.
// Errors: not_found or denied with what to do when there is no /dev/cuse or it may not be opened.
Result<void> check_cuse();

struct DeviceRequest {
  std::string name;    // "vtpm0"; empty for the free one with the lowest number
  unsigned major = 0;  // 0: the one that vtpm devices share
  int minor = -1;      // -1: the number in the name
  // Called with the raw node's name once it is chosen, before any node exists.
  std::function<Result<void>(const std::string& raw)> prepare = [](const std::string&) {
    return Result<void>();
  };
};

// What there is a node for.
struct DeviceNodes {
  Node& raw;
  Node& control;
  Node* managed = nullptr;  // none
};

struct CreatedNode {
  std::string name;
  DeviceNumbers numbers;
  std::unique_ptr<CuseSession> session;  // not serving yet
};

struct CreatedDevice {
  CreatedNode control;
  std::optional<CreatedNode> managed;
  CreatedNode raw;
};

// The raw node is made last: when it is there, all is.
// Errors: those of check_cuse(), and busy when name or number is taken.
Result<CreatedDevice> create_device(const DeviceRequest& request, const DeviceRegistry& registry,
                                    const DeviceNodes& nodes);

}  // namespace vtpm
