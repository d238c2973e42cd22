// The device that somebody calls by its name, its path, or the name of an instance or VM, opened
// for control requests.
//
// Threads: one at a time. Errors: not_found where no daemon runs; else those of opening it.
#pragma once

#include <string>

#include "ctl/tool/device/device_client.h"
#include "ctl/tool/services/host.h"

namespace vtpm {

// Where udev has made no link, an instance's device is that of its configuration, if the daemon
// there has the instance's state: it may be another's.
Result<DeviceClient> open_device(const std::string& asked, Host& host);

}  // namespace vtpm
