// The path of a command: a command with its ticket in, a response out. Every link of the chain is
// one, and so is a whole chain, so that a link can be put in anywhere without a word to the others:
//
//   open file --> power gate --> retry --> runner --> engine
//
// Ownership: a link borrows the next one. Threads: one command at a time.
// Errors: none. Whatever is wrong, the response says it in the TPM's own terms.
#pragma once

#include <atomic>

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"
#include "engine/command/command.h"

namespace vtpm {

enum class Sender : uint8_t {
  client,
  power_cycle,  // Startup and Shutdown that the TPM's power cycle sends of its own
};

// What belongs to one command on its way. Valid until the response is there.
struct Ticket {
  Locality locality;
  const std::atomic<bool>& canceled;  // nobody waits for the response any more; changes at any time
  Sender sender = Sender::client;
  bool lost = false;  // power was taken since the command was accepted: it is for no TPM any more
};

class CommandPort {
 public:
  CommandPort() = default;
  CommandPort(const CommandPort&) = delete;
  CommandPort& operator=(const CommandPort&) = delete;
  virtual ~CommandPort() = default;

  // May block for as long as the command takes.
  virtual Bytes transmit(const Command& command, const Ticket& ticket) = 0;
};

}  // namespace vtpm
