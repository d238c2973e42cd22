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
  reply.opened(std::make_shared<ControlFile>(control_, privilege));
}

}  // namespace vtpm
