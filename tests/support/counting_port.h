// A link that counts what passes it.
#pragma once

#include <algorithm>
#include <vector>

#include "engine/command/command_port.h"

namespace vtpm {

class CountingPort final : public CommandPort {
 public:
  explicit CountingPort(CommandPort& next) : next_(next) {}

  Bytes transmit(const Command& command, const Ticket& ticket) override {
    commands.push_back(command.code());
    return next_.transmit(command, ticket);
  }

  [[nodiscard]] long count(CommandCode code) const { return std::ranges::count(commands, code); }

  std::vector<CommandCode> commands;

 private:
  CommandPort& next_;
};

}  // namespace vtpm
