#include "cuse/nodes/raw_node.h"

#include <cerrno>

#include "cuse/nodes/raw_file.h"

namespace vtpm {

void RawNode::open(const Opener& opener, OpenReply reply) {
  if (!opener.may_write) {
    reply.error(EACCES);
    return;
  }
  if (taken_.exchange(true)) {
    reply.error(EBUSY);
    return;
  }
  OpenerProcess process = opener.process();
  {
    MutexLock lock(mutex_);
    opener_ = {process.number, std::move(process.name)};
  }
  bool controls = parts_.access.on_raw_node && parts_.access.allows(opener);
  Privilege privilege = controls ? Privilege::control : Privilege::raw_user;
  auto file = std::make_shared<RawFile>(*this, privilege);
  if (parts_.power == PowerSwitch::independent) {
    reply.opened(std::move(file));
    return;
  }
  parts_.queue.run([this, file = std::move(file), reply = std::move(reply)]() mutable {
    // Should power-on fail, the node opens all the same: the TPM then says so in its own terms.
    static_cast<void>(parts_.tpm.power_on());
    reply.opened(std::move(file));
  });
}

}  // namespace vtpm
