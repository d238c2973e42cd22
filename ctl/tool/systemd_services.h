// Instances as units vtpm@NAME.service.
#pragma once

#include <string>
#include <vector>

#include "ctl/tool/services.h"

namespace vtpm {

class SystemdServices final : public Services {
 public:
  explicit SystemdServices(RunProgram run) : run_(std::move(run)) {}

  Result<void> start(const std::string& name) override;
  Result<void> start_soon(const std::string& name) override;
  Result<void> stop(const std::string& name) override;
  Result<void> stop_soon(const std::string& name) override;
  Result<void> enable(const std::string& name) override;
  Result<void> disable(const std::string& name) override;
  bool is_enabled(const std::string& name) override;
  std::string state(const std::string& name) override;
  std::string last_words(const std::string& name) override;

 private:
  Result<void> systemctl(std::vector<std::string> words);

  RunProgram run_;
};

}  // namespace vtpm
