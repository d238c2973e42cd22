#include "ctl/tool/services/systemd_services.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <sstream>
#include <utility>

namespace vtpm {
namespace {

std::string unit_of(const std::string& name) {
  return "vtpm@" + name + ".service";
}

std::string in_words(const std::string& state) {
  constexpr auto kWords =
      std::to_array<std::pair<const char*, const char*>>({{"active", "running"},
                                                          {"reloading", "running"},
                                                          {"inactive", "stopped"},
                                                          {"activating", "starting"},
                                                          {"deactivating", "stopping"}});
  const auto* found = std::ranges::find(kWords, state, &std::pair<const char*, const char*>::first);
  return found == kWords.end() ? state : found->second;
}

bool is_down(const ServiceState& state) {
  return state.state == "stopped" || state.state == "failed";
}

// Lines that say the same once, as they do when a daemon was started again and again.
std::string without_repetitions(const std::string& text) {
  std::istringstream lines(text);
  std::vector<std::string> told;
  std::string joined;
  for (std::string line; std::getline(lines, line);) {
    if (std::ranges::find(told, line) == told.end()) {
      joined += (told.empty() ? "" : "\n") + line;
      told.push_back(line);
    }
  }
  return joined;
}

// This moment, as journalctl reads it: seconds since 1970, with their millionths.
std::string journal_now() {
  auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                 std::chrono::system_clock::now().time_since_epoch())
                 .count();
  constexpr int64_t kMillion = 1000000;
  std::string fraction = std::to_string(kMillion + now % kMillion).substr(1);
  return "@" + std::to_string(now / kMillion) + "." + fraction;
}

}  // namespace

Results SystemdServices::start(const Names& names) {
  return bring_up("start", names);
}

Results SystemdServices::restart(const Names& names) {
  return bring_up("restart", names);
}

// A unit that has hit its limit of starts is refused for a while, and a start that a person asks
// for counts as well: but the limit is for daemons that end by themselves. A unit that systemd does
// not know yet has no limit to lift, which it calls a failure.
void SystemdServices::lift_limit_of_starts(const Names& names) {
  static_cast<void>(systemctl({"--quiet", "reset-failed"}, names));
}

Results SystemdServices::bring_up(const char* verb, const Names& names) {
  lift_limit_of_starts(names);
  std::string begin = journal_now();
  auto done = systemctl({verb}, names);
  Results results(names.size());
  if (done) {
    return results;
  }
  auto found = states(names);
  run_({"journalctl", "--sync"});  // what was said last may not be written yet
  for (size_t i = 0; i < names.size(); ++i) {
    if (found[i].state == "running") {
      continue;
    }
    std::string words = journal(names[i], "--since=" + begin);
    results[i] = failure(
        Errc::io, names[i] + " did not start: " + (words.empty() ? done.error().message : words) +
                      "\nvtpmctl: journalctl -u " + unit_of(names[i]) + " has more");
  }
  return results;
}

Results SystemdServices::stop(const Names& names) {
  return each({"stop"}, names, is_down);
}

Results SystemdServices::enable(const Names& names) {
  return each({"--quiet", "enable"}, names,
              [](const ServiceState& state) { return state.enabled; });
}

Results SystemdServices::disable(const Names& names) {
  return each({"--quiet", "disable"}, names,
              [](const ServiceState& state) { return !state.enabled; });
}

Result<void> SystemdServices::start_soon(const std::string& name) {
  lift_limit_of_starts({name});
  return systemctl({"start", "--no-block"}, {name});
}

Result<void> SystemdServices::stop_soon(const std::string& name) {
  return systemctl({"stop", "--no-block"}, {name});
}

Result<void> SystemdServices::retire(const std::string& name) {
  ServiceState state = state_of(name);
  if (state.enabled) {
    return systemctl({"--quiet", "--now", "disable"}, {name});
  }
  return is_down(state) ? Result<void>() : systemctl({"stop"}, {name});
}

std::vector<ServiceState> SystemdServices::states(const Names& names) {
  std::vector<ServiceState> states;
  for (Properties& properties : show(names)) {
    std::string state = properties["ActiveState"];
    states.push_back({state.empty() ? "unknown" : in_words(state),
                      properties["UnitFileState"] == "enabled", properties["InvocationID"]});
  }
  return states;
}

std::string SystemdServices::last_words(const std::string& name, const std::string& run) {
  return run.empty() ? "" : journal(name, "_SYSTEMD_INVOCATION_ID=" + run);
}

std::string SystemdServices::journal(const std::string& name, const std::string& match) {
  // What is at level error says why; a daemon that could not read its options may not have had one.
  for (const char* level : {"--priority=err", "--priority=debug"}) {
    auto ran = run_({"journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=5", level,
                     match, "_SYSTEMD_UNIT=" + unit_of(name)});
    std::string words = ran && ran->succeeded() ? without_repetitions(ran->text()) : "";
    if (!words.empty()) {
      return words;
    }
  }
  return {};
}

std::vector<SystemdServices::Properties> SystemdServices::show(const Names& names) {
  std::vector<std::string> words{"systemctl", "show",
                                 "--property=Id,ActiveState,UnitFileState,InvocationID"};
  std::ranges::transform(names, std::back_inserter(words), unit_of);
  auto ran = names.empty() ? Result<Ran>(Ran{0, ""}) : run_(words);
  std::map<std::string, Properties> by_unit;
  Properties properties;
  std::istringstream lines(ran ? ran->text() + "\n\n" : "");
  for (std::string line; std::getline(lines, line);) {
    size_t sign = line.find('=');
    if (sign != std::string::npos) {
      properties[line.substr(0, sign)] = line.substr(sign + 1);
    } else {
      std::string unit = properties["Id"];
      by_unit[unit] = std::exchange(properties, {});
    }
  }
  std::vector<Properties> found;
  std::ranges::transform(names, std::back_inserter(found),
                         [&](const std::string& name) { return by_unit[unit_of(name)]; });
  return found;
}

Results SystemdServices::each(std::vector<std::string> words, const Names& names,
                              const std::function<bool(const ServiceState&)>& as_wanted) {
  auto done = systemctl(std::move(words), names);
  Results results(names.size(), done);
  if (!done && names.size() > 1) {
    auto found = states(names);
    for (size_t i = 0; i < names.size(); ++i) {
      results[i] = as_wanted(found[i]) ? Result<void>() : done;
    }
  }
  return results;
}

Result<void> SystemdServices::systemctl(std::vector<std::string> words, const Names& names) {
  if (names.empty()) {
    return {};
  }
  words.insert(words.begin(), "systemctl");
  std::ranges::transform(names, std::back_inserter(words), unit_of);
  auto ran = run_(words);
  if (!ran) {
    return tl::unexpected(ran.error());
  }
  return ran->succeeded() ? Result<void>() : failure(Errc::io, ran->reason());
}

}  // namespace vtpm
