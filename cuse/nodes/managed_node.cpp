#include "cuse/nodes/managed_node.h"

#include <cerrno>

#include "cuse/nodes/managed_file.h"

namespace vtpm {

void ManagedNode::open(const Opener& opener, OpenReply reply) {
  if (!opener.may_write) {
    reply.error(EACCES);
    return;
  }
  OpenerProcess process = opener.process();
  OpenFileState state;
  state.opening = {NodeKind::managed,
                   opener.may_write,
                   Privilege::anyone,
                   {process.number, opener.uid, opener.gid, std::move(process.name)}};
  auto file = std::make_shared<ManagedFile>(parts_, std::move(state));
  file->begin();
  reply.opened(std::move(file));
}

Result<std::shared_ptr<OpenFile>> ManagedNode::restore(ByteView saved) {
  return read_open_file(saved, NodeKind::managed).map([this](OpenFileState state) {
    auto file = std::make_shared<ManagedFile>(parts_, std::move(state));
    file->begin();
    file->resume_timeout();
    return file;
  });
}

}  // namespace vtpm
