#include "cuse/nodes/raw_node.h"

#include <cerrno>

namespace vtpm {

void RawNode::open(const Opener& opener, OpenReply reply) {
  if (!opener.may_write) {
    reply.error(EACCES);
    return;
  }
  auto hold = slot_.take();
  if (!hold) {
    reply.error(EBUSY);
    return;
  }
  OpenerProcess process = opener.process();
  slot_.note_opener({process.number, process.name});
  bool controls = access_.on_raw_node && access_.allows(opener);
  Privilege privilege = controls ? Privilege::control : Privilege::raw_user;
  OpenFileState state;
  state.opening = {NodeKind::raw,
                   opener.may_write,
                   privilege,
                   {process.number, opener.uid, opener.gid, std::move(process.name)}};
  auto file = std::make_shared<RawFile>(file_parts_, power_, std::move(*hold), std::move(state));
  if (power_ == PowerSwitch::independent) {
    reply.opened(std::move(file));
    return;
  }
  file_parts_.strand.run([this, file = std::move(file), reply = std::move(reply)]() mutable {
    OpenReply now = std::move(reply);  // dropped by what is thrown here, not with the task
    // Should power-on fail, the node opens all the same: the TPM then says so in its own terms.
    static_cast<void>(file_parts_.tpm.power_on());
    now.opened(std::move(file));
  });
}

Result<std::shared_ptr<OpenFile>> RawNode::restore(ByteView saved) {
  auto state = read_open_file(saved, NodeKind::raw);
  if (!state) {
    return tl::unexpected(state.error());
  }
  auto hold = slot_.take();
  if (!hold) {
    return failure(Errc::busy, "somebody has the raw node open already");
  }
  slot_.note_opener({state->opening.peer.process, state->opening.peer.name});
  auto file = std::make_shared<RawFile>(file_parts_, power_, std::move(*hold), std::move(*state));
  file->resume_timeout();
  return file;
}

}  // namespace vtpm
