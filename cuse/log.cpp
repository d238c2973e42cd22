#include "cuse/log.h"

#include <syslog.h>
#include <unistd.h>

#include <cstdlib>

namespace vtpm::log {
namespace {

struct Settings {
  Level most_detailed = Level::info;
  std::string name = "vtpmd";
  bool journal = false;
  bool syslog = false;
};

Settings& settings() {
  static Settings the_settings;
  return the_settings;
}

int priority(Level level) {
  switch (level) {
    case Level::error:
      return LOG_ERR;
    case Level::warning:
      return LOG_WARNING;
    case Level::info:
      return LOG_INFO;
    case Level::debug:
      return LOG_DEBUG;
  }
  return LOG_ERR;
}

void write_message(Level level, const std::string& message) {
  const Settings& now = settings();
  if (level > now.most_detailed) {
    return;
  }
  if (now.syslog) {
    ::syslog(priority(level), "%s", message.c_str());
    return;
  }
  std::string line = now.name + ": " + message + "\n";
  if (now.journal) {
    line = "<" + std::to_string(priority(level)) + ">" + line;
  }
  // A message that cannot be written has nowhere else to go.
  static_cast<void>(!write(STDERR_FILENO, line.data(), line.size()));
}

}  // namespace

void configure(Level most_detailed, const std::string& name) {
  settings().most_detailed = most_detailed;
  settings().name = name;
  settings().journal = std::getenv("JOURNAL_STREAM") != nullptr;  // NOLINT: no thread yet
}

void use_syslog() {
  openlog(settings().name.c_str(), LOG_PID, LOG_DAEMON);
  settings().syslog = true;
}

void error(const std::string& message) {
  write_message(Level::error, message);
}
void warning(const std::string& message) {
  write_message(Level::warning, message);
}
void info(const std::string& message) {
  write_message(Level::info, message);
}
void debug(const std::string& message) {
  write_message(Level::debug, message);
}

}  // namespace vtpm::log
