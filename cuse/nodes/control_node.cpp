#include "cuse/nodes/control_node.h"

#include <cerrno>

#include "cuse/nodes/controlled_file.h"

namespace vtpm {
namespace {

class ControlFile final : public ControlledFile {
 public:
  using ControlledFile::ControlledFile;

  void read(size_t size, ReadReply reply) override {
    if (!read_blob(size, reply)) {
      reply.data({});
    }
  }

  void write(ByteView data, bool /*nonblocking*/, WriteReply reply) override {
    if (!write_blob(data, reply)) {
      reply.error(EINVAL);
    }
  }

  void poll(PollRequest /*request*/, PollReply reply) override { reply.events(0); }

  void release(ReleaseReply reply) override { reply.done(); }
};

}  // namespace

void ControlNode::open(const Opener& opener, OpenReply reply) {
  bool allowed = access_.allows(opener);
  bool controls = allowed && opener.may_write;
  bool looks = allowed || access_.lets_look(opener);
  Privilege privilege = looks ? Privilege::observer : Privilege::anyone;
  privilege = controls ? Privilege::control : privilege;
  Peer peer{opener.pid, opener.uid, opener.gid, {}};
  reply.opened(std::make_shared<ControlFile>(
      control_, Opening{NodeKind::control, opener.may_write, privilege, std::move(peer)}));
}

Result<std::shared_ptr<OpenFile>> ControlNode::restore(ByteView saved) {
  return read_open_file(saved, NodeKind::control).map([this](OpenFileState state) {
    return std::make_shared<ControlFile>(control_, std::move(state.opening),
                                         std::move(state.transfer));
  });
}

}  // namespace vtpm
