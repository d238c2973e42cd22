#include "cuse/nodes/managed_file.h"

#include <cerrno>

#include "engine/command/codec.h"

namespace vtpm {

void ManagedFile::begin() {
  lane().run([self = shared()] { self->space(); });
}

VirtualTpm::Space& ManagedFile::space() {
  if (!space_) {
    const Peer& peer = opening().peer;
    space_ = parts().tpm.open_space({peer.process, peer.uid});
  }
  return *space_;
}

void ManagedFile::ioctl(const IoctlRequest& /*request*/, IoctlReply reply) {
  reply.error(ENOTTY);
}

// Where the kernel's node has no response either: its own selftests count on this one. Everything
// else that is wrong with a handle the response says.
int ManagedFile::error_for(ByteView command, ByteView response) const {
  constexpr ResponseCode kUnknownHandle{0x000B01CB};
  constexpr uint8_t kTransient = 0x80;
  Command sent(command);
  bool of_an_object = command.size() > kHeaderSize && command[kHeaderSize] == std::byte{kTransient};
  bool unknown = sent.has_header() && sent.code() == cc::flush_context && of_an_object &&
                 response_code(response) == kUnknownHandle;
  return unknown ? EINVAL : 0;
}

void ManagedFile::close_in_order(Closing closing) {
  lane().run([self = shared(), closing = std::move(closing)] { self->space_.reset(); });
}

}  // namespace vtpm
