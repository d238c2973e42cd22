// What vtpmctl needs from the machine it runs on; tests make one of their own.
//
// Ownership: borrows the streams. Threads: one at a time.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "ctl/tool/device_client.h"
#include "ctl/tool/device_names.h"

namespace vtpm {

struct Host {
  DevicePaths paths;
  std::function<Result<IoctlFunction>(const std::string& path)> open;
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

}  // namespace vtpm
