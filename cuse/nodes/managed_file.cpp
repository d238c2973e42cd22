#include "cuse/nodes/managed_file.h"

#include <cerrno>

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

void ManagedFile::close_in_order(Closing closing) {
  lane().run([self = shared(), closing = std::move(closing)] { self->space_.reset(); });
}

}  // namespace vtpm
