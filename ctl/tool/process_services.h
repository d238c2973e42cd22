// Instances as plain processes, for machines without systemd: vtpmd --daemon with a pid file in
// /run/vtpm; enabled ones have a link in /etc/vtpm/enabled, and `vtpmctl start --all` starts them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "ctl/tool/services.h"

namespace vtpm {

class ProcessServices final : public Services {
 public:
  ProcessServices(RunProgram run, InstancePaths paths)
      : run_(std::move(run)), paths_(std::move(paths)) {}

  Result<void> start(const std::string& name) override;
  Result<void> start_soon(const std::string& name) override { return start(name); }
  Result<void> stop(const std::string& name) override;
  Result<void> stop_soon(const std::string& name) override { return stop(name); }
  Result<void> enable(const std::string& name) override;
  Result<void> disable(const std::string& name) override;
  bool is_enabled(const std::string& name) override;
  std::string state(const std::string& name) override;
  std::string last_words(const std::string& name) override;

 private:
  // The daemon's process, if it lives: a pid file may be a leftover, and its number another
  // program's by now.
  [[nodiscard]] std::optional<pid_t> process_of(const std::string& name) const;
  [[nodiscard]] std::string link_of(const std::string& name) const {
    return paths_.configuration + "/enabled/" + name;
  }

  RunProgram run_;
  InstancePaths paths_;
};

}  // namespace vtpm
