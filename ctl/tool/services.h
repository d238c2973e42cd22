// Starts and stops the daemons of instances: through systemd where that runs the machine, else as
// plain processes with pid files.
//
// Threads: one at a time. Errors: what the program that was asked said, with what to do.
#pragma once

#include <memory>
#include <string>

#include "ctl/config/instance.h"
#include "ctl/tool/programs.h"
#include "engine/result.h"

namespace vtpm {

class Services {
 public:
  Services() = default;
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;
  virtual ~Services() = default;

  // Returns when the TPM answers on its node. Running already is no error.
  virtual Result<void> start(const std::string& name) = 0;
  // Likewise, but returns at once: for udev's rules, which may not wait.
  virtual Result<void> start_soon(const std::string& name) = 0;
  // Returns when the daemon has ended. Stopped already is no error.
  virtual Result<void> stop(const std::string& name) = 0;
  virtual Result<void> stop_soon(const std::string& name) = 0;

  // Whether it comes up with the machine's CUSE.
  virtual Result<void> enable(const std::string& name) = 0;
  virtual Result<void> disable(const std::string& name) = 0;
  virtual bool is_enabled(const std::string& name) = 0;

  // "running", "stopped", "failed", "starting", ...
  virtual std::string state(const std::string& name) = 0;
  // Why it failed, as far as is known; the lines of its log.
  virtual std::string last_words(const std::string& name) = 0;
};

// `systemd` says whether systemd runs this machine.
std::unique_ptr<Services> make_services(bool systemd, RunProgram run, InstancePaths paths);

}  // namespace vtpm
