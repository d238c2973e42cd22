// A client of a space or of a raw TPM: sends bytes, keeps no state but where they go.
#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>

#include "engine/command/command_port.h"
#include "engine/resource_manager/resource_manager.h"
#include "tests/support/space_commands.h"

namespace vtpm {

class SpaceClient {
 public:
  explicit SpaceClient(CommandPort& port) : port_(&port) {}
  explicit SpaceClient(std::unique_ptr<CommandPort> port)
      : owned_(std::move(port)), port_(owned_.get()) {}

  Bytes send(ByteView command) {
    std::atomic<bool> canceled = false;
    return port_->transmit(Command(command), {.locality = Locality{}, .canceled = canceled});
  }
  ResponseCode code(ByteView command) { return response_code(send(command)); }
  // Throws unless it succeeds.
  Bytes must(ByteView command) {
    Bytes response = send(command);
    if (response_code(response) != rc::success) {
      throw std::runtime_error("the TPM answers " +
                               std::to_string(static_cast<uint32_t>(response_code(response))));
    }
    return response;
  }
  // The handle that such a command returns.
  uint32_t make(ByteView command) { return returned_handle(must(command)); }

  // Its open ends.
  void close() { owned_.reset(); }

 private:
  std::unique_ptr<CommandPort> owned_;
  CommandPort* port_;
};

}  // namespace vtpm
