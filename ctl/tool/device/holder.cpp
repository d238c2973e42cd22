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

constexpr const char* kUnseen = "a process that the daemon cannot see";  // of another PID namespace

// Nothing: nobody has the raw node open.
std::optional<std::string> raw_holder(DeviceClient& device) {
  auto status = device.call(request::get_status);
  if (!status || (status->flags & VTPM_STATUS_IN_USE) == 0) {
    return std::nullopt;
  }
  // Without a control node it is our own process that holds it.
  if (number_in_status(status->opener_pid, "PPid:") == static_cast<unsigned>(::getpid())) {
    return std::nullopt;
  }
  auto details = device.call(request::get_details);
  return holder_in_words(*status, details ? std::optional(*details) : std::nullopt) +
         " has its raw node";
}

std::optional<std::string> managed_holder(DeviceClient& device) {
  auto spaces = device.call(request::get_spaces);
  if (!spaces || spaces->resp.count == 0) {
    return std::nullopt;
  }
  std::string first = holder_in_words(spaces->resp.spaces[0]);
  uint64_t others = uint64_t{spaces->resp.count} + spaces->resp.more - 1;
  std::string managed = " its managed node";
  return others == 0 ? first + " has" + managed
                     : first + " and " + std::to_string(others) + " more have" + managed;
}

}  // namespace

std::string holder_in_words(const vtpm_status& status, const std::optional<vtpm_details>& details) {
  if (status.opener_pid == 0) {
    return kUnseen;
  }
  auto [number, name] = process_of(status.opener_pid, details ? text_in(details->opener) : "");
  std::string process = "process " + std::to_string(number);
  return name.empty() ? process : printable(name) + " (" + process + ")";
}

std::string holder_in_words(const vtpm_space& space) {
  std::string process = space.pid == 0 ? kUnseen : "process " + std::to_string(space.pid);
  return process + " of user " + std::to_string(space.uid);
}

Result<void> check_not_held(DeviceClient& device) {
  auto holder = raw_holder(device);
  if (!holder) {
    holder = managed_holder(device);
  }
  if (!holder) {
    return {};
  }
  return tl::unexpected(device.error(
      Errc::busy,
      "the TPM is in use: " + *holder + " open and would lose it. End that first, or say --force"));
}

}  // namespace vtpm
