// What the open files of the raw and the control node have in common: control requests, and state
// blobs that travel by read() and write() once a request has begun that.
//
// Threads: any.
#pragma once

#include <memory>

#include "ctl/control/ioctl_control.h"
#include "cuse/channel/node.h"

namespace vtpm {

class ControlledFile : public OpenFile {
 public:
  ControlledFile(IoctlControl& control, Privilege privilege)
      : control_(control), privilege_(privilege) {}

  void ioctl(const IoctlRequest& request, IoctlReply reply) override;

 protected:
  // True when the request belonged to a blob's transfer and was answered: with its bytes, or with
  // EIO when it goes the other way, which ends the transfer.
  bool read_blob(size_t size, ReadReply& reply);
  bool write_blob(ByteView data, WriteReply& reply);

 private:
  IoctlControl& control_;
  const Privilege privilege_;
  const std::shared_ptr<BlobTransfer> transfer_ = std::make_shared<BlobTransfer>();
};

}  // namespace vtpm
