// Messages to whoever runs the daemon. Only the outermost layer logs; libraries below return
// errors.
//
// In the foreground messages go to standard error; in the background to syslog. Under systemd each
// line carries its level for the journal. Never the contents of commands, responses or state.
// Threads: any; one message is one write.
#pragma once

#include <string>

namespace vtpm::log {

enum class Level { error, warning, info, debug };

// Before the first thread starts. `name` stands before each message.
void configure(Level most_detailed, const std::string& name);
// From now on to syslog.
void use_syslog();

void error(const std::string& message);
void warning(const std::string& message);
void info(const std::string& message);
void debug(const std::string& message);

}  // namespace vtpm::log
