// Messages to whoever runs the daemon. Only the outermost layer logs; libraries below return
// errors.
//
// In the foreground messages go to standard error; in the background to syslog. Under systemd each
// line carries its level for the journal. Never the contents of commands, responses or state.
// Threads: any; one message is one write.
#pragma once

#include <string>
#include <string_view>

namespace vtpm::log {

enum class Level { error, warning, info, debug };

// Before the first thread starts. `name` stands before each message.
void configure(Level most_detailed, const std::string& name);
// Opens what use_syslog() needs; a serving vtpmd can open no socket. Where nobody listens, what is
// told later is lost.
void connect_syslog(const std::string& path = "/dev/log");
// From now on to syslog, without the time: the receiver stamps what comes without.
void use_syslog();

// Async-signal-safe; never filtered.
void error_from_signal_handler(std::string_view message) noexcept;

void error(const std::string& message);
void warning(const std::string& message);
void info(const std::string& message);
void debug(const std::string& message);

}  // namespace vtpm::log
