// What vtpmctl needs from the machine it runs on; tests make one of their own.
//
// Ownership: borrows the streams and the services. Threads: one at a time.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "ctl/tool/device/device_client.h"
#include "ctl/tool/device/device_names.h"
#include "ctl/tool/services/programs.h"
#include "ctl/tool/services/services.h"

namespace vtpm {

struct Host {
  DevicePaths paths;
  InstancePaths instances;
  Services& services;
  RunProgram run;
  bool udev;                // whether udev runs here
  std::string cuse_uevent;  // where synthetic uevents of /dev/cuse are written
  std::function<Result<IoctlFunction>(const std::string& path)> open;
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

}  // namespace vtpm
