#include "ctl/tool/holder.h"

#include <unistd.h>

#include <fstream>

#include "ctl/tool/report.h"

namespace vtpm {
namespace {

// A line of /proc/PID/status: "Tgid:\t4711". 0 when there is none.
unsigned number_in_status(unsigned task, const std::string& key) {
  std::ifstream lines("/proc/" + std::to_string(task) + "/status");
  for (std::string word; lines >> word;) {
    unsigned number = 0;
    if (word == key && lines >> number) {
      return number;
    }
    lines.clear();
  }
  return 0;
}

}  // namespace

std::string holder_in_words(const vtpm_status& status) {
  // What opened it may have been a thread of the process.
  unsigned process = number_in_status(status.opener_pid, "Tgid:");
  if (process == 0) {
    return "a process that vtpmctl cannot see, number " + std::to_string(status.opener_pid) +
           " for the daemon,";
  }
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(process) + "/comm"), name);
  return "process " + std::to_string(process) + " (" + printable(name) + ")";
}

Result<void> check_not_held(DeviceClient& device) {
  auto status = device.call(request::get_status);
  if (!status || (status->flags & VTPM_STATUS_IN_USE) == 0) {
    return {};
  }
  // Without a control node it is our own process that holds it.
  if (number_in_status(status->opener_pid, "PPid:") == static_cast<unsigned>(::getpid())) {
    return {};
  }
  return tl::unexpected(device.error(
      Errc::busy, "the TPM is in use: " + holder_in_words(*status) +
                      " has its raw node open and would lose it. End that first, or say --force"));
}

}  // namespace vtpm
