#include "cuse/log.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "engine/file_descriptor.h"

namespace vtpm::log {
namespace {

struct Settings {
  Level most_detailed = Level::info;
  std::string name = "vtpmd";
  bool journal = false;
  bool syslog = false;
  FileDescriptor syslog_socket;
  std::string error_prefix;  // ready for a signal handler
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

// What stands before a message of that level, where messages go now.
std::string prefix(Level level) {
  const Settings& now = settings();
  if (now.syslog) {
    return "<" + std::to_string(LOG_DAEMON | priority(level)) + ">" + now.name + "[" +
           std::to_string(getpid()) + "]: ";
  }
  std::string name = now.name + ": ";
  return now.journal ? "<" + std::to_string(priority(level)) + ">" + name : name;
}

void write_whole(std::string_view before, std::string_view message) {
  const Settings& now = settings();
  std::string_view end = now.syslog ? "" : "\n";
  std::array<iovec, 3> parts{};
  size_t count = 0;
  for (std::string_view part : {before, message, end}) {
    parts.at(count++) = {const_cast<char*>(part.data()), part.size()};  // NOLINT: writev only reads
  }
  int target = now.syslog ? now.syslog_socket.get() : STDERR_FILENO;
  // A message that cannot be written has nowhere else to go.
  static_cast<void>(!writev(target, parts.data(), static_cast<int>(count)));
}

void write_message(Level level, const std::string& message) {
  if (level <= settings().most_detailed) {
    write_whole(prefix(level), message);
  }
}

}  // namespace

void configure(Level most_detailed, const std::string& name) {
  settings().most_detailed = most_detailed;
  settings().name = name;
  settings().journal = std::getenv("JOURNAL_STREAM") != nullptr;  // NOLINT: no thread yet
  settings().error_prefix = prefix(Level::error);
}

void connect_syslog(const std::string& path) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  // NOLINTNEXTLINE: the shape of socket addresses
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    settings().syslog_socket = std::move(socket);
  }
}

void use_syslog() {
  settings().syslog = true;
  settings().error_prefix = prefix(Level::error);
}

void error_from_signal_handler(std::string_view message) noexcept {
  write_whole(settings().error_prefix, message);
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
