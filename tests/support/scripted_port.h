// The end of a chain for tests of one link: keeps what it is sent and answers from a script.
#pragma once

#include <deque>
#include <vector>

#include "engine/command/codec.h"
#include "engine/command/command_port.h"

namespace vtpm {

class ScriptedPort final : public CommandPort {
 public:
  Bytes transmit(const Command& command, const Ticket& ticket) override {
    commands.push_back(command.code());
    localities.push_back(ticket.locality);
    if (answers.empty()) {
      return error_response(TpmVersion::tpm20, rc::success);
    }
    ResponseCode code = answers.front();
    answers.pop_front();
    return error_response(TpmVersion::tpm20, code);
  }

  std::deque<ResponseCode> answers;  // one each; afterwards success
  std::vector<CommandCode> commands;
  std::vector<Locality> localities;
};

}  // namespace vtpm
