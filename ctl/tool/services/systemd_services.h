// Instances as units vtpm@NAME.service.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ctl/tool/services/services.h"

namespace vtpm {

class SystemdServices final : public Services {
 public:
  explicit SystemdServices(RunProgram run) : run_(std::move(run)) {}

  Results start(const Names& names) override;
  Results stop(const Names& names) override;
  Results restart(const Names& names) override;
  Result<void> start_soon(const std::string& name) override;
  Result<void> stop_soon(const std::string& name) override;
  Results enable(const Names& names) override;
  Results disable(const Names& names) override;
  Result<void> retire(const std::string& name) override;
  std::vector<ServiceState> states(const Names& names) override;
  std::string last_words(const std::string& name, const std::string& run) override;

 private:
  using Properties = std::map<std::string, std::string>;

  Result<void> systemctl(std::vector<std::string> words, const Names& names);
  // What systemd knows of each, in their order; empty where it told nothing.
  std::vector<Properties> show(const Names& names);
  void lift_limit_of_starts(const Names& names);
  Results bring_up(const char* verb, const Names& names);
  // One call for all; after a failure those have failed that are not as wanted.
  Results each(std::vector<std::string> words, const Names& names,
               const std::function<bool(const ServiceState&)>& as_wanted);
  // The daemon's own words among those that match, without what systemd says about it.
  std::string journal(const std::string& name, const std::string& match);

  RunProgram run_;
};

}  // namespace vtpm
