#include "cuse/daemon/log.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "cuse/daemon/message_limit.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/mutex.h"

namespace vtpm::log {
namespace {

struct Settings {
  Level most_detailed = Level::info;
  std::string name = "vtpmd";
  bool journal = false;
  bool syslog = false;
  FileDescriptor syslog_socket;
  sockaddr_un syslog_address{};
  std::string error_prefix;  // ready for a signal handler
  Mutex mutex;
  MessageLimit limit VTPM_GUARDED_BY(mutex);
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

// Async-signal-safe.
bool connect_to_syslog() {
  const Settings& now = settings();
  // NOLINTNEXTLINE: the shape of socket addresses
  const auto* address = reinterpret_cast<const sockaddr*>(&now.syslog_address);
  return connect(now.syslog_socket.get(), address, sizeof(now.syslog_address)) == 0;
}

// One line.
void write_whole(std::string_view before, std::string_view message) {
  const Settings& now = settings();
  std::string_view end = now.syslog ? "" : "\n";
  std::array<iovec, 3> parts{};
  size_t count = 0;
  for (std::string_view part : {before, message, end}) {
    parts.at(count++) = {const_cast<char*>(part.data()), part.size()};  // NOLINT: writev only reads
  }
  int target = now.syslog ? now.syslog_socket.get() : STDERR_FILENO;
  auto write_it = [&] { return writev(target, parts.data(), static_cast<int>(count)) >= 0; };
  // A message that cannot be written has nowhere else to go, unless whoever listened was started
  // anew.
  bool written = write_it();
  if (!written && now.syslog && errno != EAGAIN && connect_to_syslog()) {
    static_cast<void>(!write_it());
  }
}

// Each line with all that belongs before it.
void write_lines(Level level, std::string_view message) {
  std::string before = prefix(level);
  for (size_t begin = 0; begin <= message.size();) {
    size_t end = std::min(message.find('\n', begin), message.size());
    write_whole(before, message.substr(begin, end - begin));
    begin = end + 1;
  }
}

void write_left_out(const std::vector<MessageLimit::LeftOut>& all) {
  for (const auto& [level, count, example] : all) {
    write_lines(static_cast<Level>(level), "left out " + std::to_string(count) +
                                               " more of this kind in the last minute: " + example);
  }
}

void write_message(Level level, const std::string& message, Place place) {
  Settings& now = settings();
  if (level > now.most_detailed) {
    return;
  }
  MutexLock lock(now.mutex);
  auto time = std::chrono::steady_clock::now();
  write_left_out(now.limit.left_out(time));
  if (now.limit.admit({place.file, place.line}, static_cast<int>(level), message, time)) {
    write_lines(level, message);
  }
}

}  // namespace

void configure(Level most_detailed, const std::string& name) {
  settings().most_detailed = most_detailed;
  {
    MutexLock lock(settings().mutex);
    settings().limit = MessageLimit();
  }
  settings().name = name;
  settings().journal = std::getenv("JOURNAL_STREAM") != nullptr;  // NOLINT: no thread yet
  settings().error_prefix = prefix(Level::error);
}

void connect_syslog(const std::string& path) {
  Settings& now = settings();
  now.syslog_socket.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  now.syslog_address.sun_family = AF_UNIX;
  path.copy(now.syslog_address.sun_path, sizeof(now.syslog_address.sun_path) - 1);
  connect_to_syslog();
}

int syslog_descriptor() {
  return settings().syslog_socket.get();
}

void use_syslog() {
  settings().syslog = true;
  settings().error_prefix = prefix(Level::error);
}

void error_from_signal_handler(std::string_view message) noexcept {
  write_whole(settings().error_prefix, message);
}

void error(const std::string& message, Place place) {
  write_message(Level::error, message, place);
}
void warning(const std::string& message, Place place) {
  write_message(Level::warning, message, place);
}
void info(const std::string& message, Place place) {
  write_message(Level::info, message, place);
}
void debug(const std::string& message) {
  if (settings().most_detailed >= Level::debug) {
    write_lines(Level::debug, message);
  }
}

void tell_left_out() {
  MutexLock lock(settings().mutex);
  write_left_out(settings().limit.left_out_so_far());
}

}  // namespace vtpm::log
