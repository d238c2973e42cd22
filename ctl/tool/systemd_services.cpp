#include "ctl/tool/systemd_services.h"

namespace vtpm {
namespace {

std::string unit_of(const std::string& name) {
  return "vtpm@" + name + ".service";
}

}  // namespace

Result<void> SystemdServices::start(const std::string& name) {
  auto ran = run_({"systemctl", "start", unit_of(name)});
  if (!ran) {
    return tl::unexpected(ran.error());
  }
  if (ran->succeeded()) {
    return {};
  }
  std::string words = last_words(name);
  return failure(Errc::io, name + " did not start: " + (words.empty() ? ran->text() : words) +
                               "\nvtpmctl: journalctl -u " + unit_of(name) + " has more");
}

Result<void> SystemdServices::start_soon(const std::string& name) {
  return systemctl({"start", "--no-block", unit_of(name)});
}

Result<void> SystemdServices::stop(const std::string& name) {
  return systemctl({"stop", unit_of(name)});
}

Result<void> SystemdServices::stop_soon(const std::string& name) {
  return systemctl({"stop", "--no-block", unit_of(name)});
}

Result<void> SystemdServices::enable(const std::string& name) {
  return systemctl({"--quiet", "enable", unit_of(name)});
}

Result<void> SystemdServices::disable(const std::string& name) {
  return systemctl({"--quiet", "disable", unit_of(name)});
}

bool SystemdServices::is_enabled(const std::string& name) {
  auto ran = run_({"systemctl", "--quiet", "is-enabled", unit_of(name)});
  return ran && ran->succeeded();
}

std::string SystemdServices::state(const std::string& name) {
  auto ran = run_({"systemctl", "show", "--property=ActiveState", "--value", unit_of(name)});
  std::string state = ran ? ran->text() : "unknown";
  if (state == "active") {
    return "running";
  }
  return state == "inactive" ? "stopped" : state == "activating" ? "starting" : state;
}

std::string SystemdServices::last_words(const std::string& name) {
  // What vtpmd said itself in its last run, without what systemd says about it.
  auto ran = run_({"journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=1",
                   "--priority=err", "_COMM=vtpmd", "_SYSTEMD_UNIT=" + unit_of(name)});
  return ran && ran->succeeded() ? ran->text() : "";
}

Result<void> SystemdServices::systemctl(std::vector<std::string> words) {
  words.insert(words.begin(), "systemctl");
  auto ran = run_(words);
  if (!ran) {
    return tl::unexpected(ran.error());
  }
  return ran->succeeded() ? Result<void>() : failure(Errc::io, ran->text());
}

}  // namespace vtpm
