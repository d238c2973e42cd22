// Messages to whoever runs the daemon. Only the outermost layer logs; libraries below return
// errors.
//
// In the foreground messages go to standard error; in the background to syslog. Under systemd each
// line carries its level for the journal. Never the contents of commands, responses or state.
//
// A place in the source is a kind of message, and a kind is told a few times a minute at most
// (message_limit.h), since clients of a TPM can cause some as often as they like. The count of what
// was left out is told behind. Debug messages are not limited.
// Threads: any; one line is one write. A receiver of syslog that does not read is not waited for.
#pragma once

#include <string>
#include <string_view>

namespace vtpm::log {

enum class Level { error, warning, info, debug };

// Where in the source a message comes from.
struct Place {
  const char* file;
  unsigned line;
  static constexpr Place here(const char* file = __builtin_FILE(),
                              unsigned line = __builtin_LINE()) {
    return {file, line};
  }
};

// Before the first thread starts. `name` stands before each message.
void configure(Level most_detailed, const std::string& name);
// Makes what use_syslog() needs; a serving vtpmd can make no socket. Where nobody listens, what is
// told meanwhile is lost; who listens later, or anew, gets what is told from then on.
void connect_syslog(const std::string& path = "/dev/log");
// The socket of connect_syslog(), which connects it again; -1 without one.
int syslog_descriptor();
// From now on to syslog, without the time: the receiver stamps what comes without.
void use_syslog();

// Async-signal-safe; never filtered, never limited.
void error_from_signal_handler(std::string_view message) noexcept;

void error(const std::string& message, Place place = Place::here());
void warning(const std::string& message, Place place = Place::here());
void info(const std::string& message, Place place = Place::here());
void debug(const std::string& message);

// What was left out and not told yet: at the end.
void tell_left_out();

}  // namespace vtpm::log
