// /dev/vtpmctlN: control requests only, for any number of openers, so that a TPM whose raw node
// somebody holds can be queried, cancelled, saved and steered.
//
// write() and read() carry state blobs when a request has begun that; otherwise write is EINVAL and
// read gives nothing. poll says nothing is to be waited for. A file that was opened for reading
// only may look, at most, whoever opened it.
//
// Ownership: borrows the door of ioctls. Threads: any.
#pragma once

#include "ctl/control/ioctl_control.h"
#include "ctl/door/node.h"
#include "cuse/nodes/control_access.h"

namespace vtpm {

class ControlNode final : public Node {
 public:
  ControlNode(IoctlControl& control, ControlAccess access) : control_(control), access_(access) {}

  void open(const Opener& opener, OpenReply reply) override;
  Result<std::shared_ptr<OpenFile>> restore(ByteView saved) override;

 private:
  IoctlControl& control_;
  const ControlAccess access_;
};

}  // namespace vtpm
