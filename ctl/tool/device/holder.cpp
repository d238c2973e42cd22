#include "ctl/tool/device/holder.h"

#include <unistd.h>

#include <fstream>

#include "ctl/tool/report/report.h"

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

// What the daemon does not know, this process may see.
struct Process {
  unsigned number;
  std::string name;  // empty: not known
};

Process process_of(unsigned opener, std::string name) {
  if (!name.empty()) {
    return {opener, std::move(name)};
  }
  unsigned process = number_in_status(opener, "Tgid:");
  std::getline(std::ifstream("/proc/" + std::to_string(process) + "/comm"), name);
  return {process == 0 ? opener : process, std::move(name)};
}

}  // namespace

std::string holder_in_words(const vtpm_status& status, const std::optional<vtpm_details>& details) {
  if (status.opener_pid == 0) {
    return "a process that the daemon cannot see";  // of another PID namespace
  }
  auto [number, name] = process_of(status.opener_pid, details ? text_in(details->opener) : "");
  std::string process = "process " + std::to_string(number);
  return name.empty() ? process : printable(name) + " (" + process + ")";
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
  auto details = device.call(request::get_details);
  std::string holder = holder_in_words(*status, details ? std::optional(*details) : std::nullopt);
  return tl::unexpected(device.error(
      Errc::busy, "the TPM is in use: " + holder +
                      " has its raw node open and would lose it. End that first, or say --force"));
}

}  // namespace vtpm
