// Instances as plain processes, for machines without systemd: vtpmd --daemon with a pid file in
// /run/vtpm; enabled ones have a link in /etc/vtpm/enabled, and `vtpmctl start --all` starts them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "ctl/tool/services/services.h"
#include "engine/base/file_descriptor.h"

namespace vtpm {

class ProcessServices final : public Services {
 public:
  // `proc` is where the kernel tells of processes; elsewhere in tests.
  ProcessServices(RunProgram run, InstancePaths paths, std::string proc = "/proc")
      : run_(std::move(run)), paths_(std::move(paths)), proc_(std::move(proc)) {}

  Results start(const Names& names) override;
  Results stop(const Names& names) override;
  Results restart(const Names& names) override;
  Result<void> start_soon(const std::string& name) override { return start({name}).front(); }
  Result<void> stop_soon(const std::string& name) override { return stop({name}).front(); }
  Results enable(const Names& names) override;
  Results disable(const Names& names) override;
  Result<void> retire(const std::string& name) override;
  std::vector<ServiceState> states(const Names& names) override;
  std::string last_words(const std::string& name, const std::string& run) override;

  // The daemon of an instance.
  struct Daemon {
    pid_t pid = 0;
    FileDescriptor process;  // stands for it even when its number has become another's
  };
  // Nothing when it does not live: a pid file may be a leftover, and its number another program's
  // by now. What the file says is believed only where it fits: the file is nobody's but root's or
  // the process's user's, and the process is vtpmd, started with this name. Errors: denied, when
  // the file names a vtpmd that is another's, or can be written by others.
  [[nodiscard]] Result<std::optional<Daemon>> daemon_of(const std::string& name) const;

 private:
  Result<void> start_one(const std::string& name);
  Result<void> stop_one(const std::string& name);
  Result<void> enable_one(const std::string& name);
  Result<void> disable_one(const std::string& name);
  [[nodiscard]] bool is_enabled(const std::string& name) const;
  [[nodiscard]] std::string link_of(const std::string& name) const {
    return paths_.configuration + "/enabled/" + name;
  }

  RunProgram run_;
  InstancePaths paths_;
  std::string proc_;
};

}  // namespace vtpm
