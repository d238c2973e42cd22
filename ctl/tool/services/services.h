// Starts and stops the daemons of instances: through systemd where that runs the machine, else as
// plain processes with pid files.
//
// Each is asked for many at once, since a call of systemd's costs as much for one as for a hundred.
// Threads: one at a time. Errors: what the program that was asked said, with what to do.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ctl/config/instance.h"
#include "ctl/tool/services/programs.h"
#include "engine/base/result.h"

namespace vtpm {

using Names = std::vector<std::string>;
// One for each name, in their order.
using Results = std::vector<Result<void>>;

struct ServiceState {
  std::string state;  // "running", "stopped", "failed", "starting", "stopping", ...
  bool enabled;       // whether it comes up with the machine's CUSE
  std::string run{};  // systemd's number of its last run; empty: not known
};

class Services {
 public:
  Services() = default;
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;
  virtual ~Services() = default;

  // Returns when the TPMs answer on their nodes. Running already is no error. tpm: its daemon runs,
  // and says that the TPM cannot be used.
  virtual Results start(const Names& names) = 0;
  // Returns when the daemons have ended. Stopped already is no error.
  virtual Results stop(const Names& names) = 0;
  virtual Results restart(const Names& names) = 0;
  // Likewise, but return at once: for udev's rules, which may not wait.
  virtual Result<void> start_soon(const std::string& name) = 0;
  virtual Result<void> stop_soon(const std::string& name) = 0;

  virtual Results enable(const Names& names) = 0;
  virtual Results disable(const Names& names) = 0;
  // Stopped, and not enabled any more.
  virtual Result<void> retire(const std::string& name) = 0;

  // One for each name, in their order.
  virtual std::vector<ServiceState> states(const Names& names) = 0;
  // What it said in the run that states() told of; empty where that is not known.
  virtual std::string last_words(const std::string& name, const std::string& run) = 0;

  // Of one.
  ServiceState state_of(const std::string& name) { return states({name}).front(); }
};

// `systemd` says whether systemd runs this machine.
std::unique_ptr<Services> make_services(bool systemd, RunProgram run, InstancePaths paths);

}  // namespace vtpm
