// What the open files of the raw and the control node have in common: control requests, and state
// blobs that travel by read() and write() once a request has begun that.
//
// Threads: any.
#pragma once

#include <memory>
#include <utility>

#include "ctl/control/ioctl_control.h"
#include "ctl/door/node.h"
#include "cuse/nodes/open_file_state.h"
#include "engine/base/lane.h"

namespace vtpm {

class ControlledFile : public OpenFile {
 public:
  ControlledFile(IoctlControl& control, Opening opening, Transfer transfer = {})
      : control_(control),
        opening_(std::move(opening)),
        lane_(control.new_lane()),
        transfer_(std::make_shared<BlobTransfer>(std::move(transfer))) {}

  void ioctl(const IoctlRequest& request, IoctlReply reply) override;

  [[nodiscard]] WipedBytes save() const final { return write_open_file(state()); }
  [[nodiscard]] virtual OpenFileState state() const;

 protected:
  // True when the request belonged to a blob's transfer and was answered: with its bytes, or with
  // EIO when it goes the other way, which ends the transfer.
  bool read_blob(size_t size, ReadReply& reply);
  bool write_blob(ByteView data, WriteReply& reply);

  // Where all that waits for the TPM waits, in the file's order.
  [[nodiscard]] Lane& lane() const { return *lane_; }
  [[nodiscard]] const Opening& opening() const { return opening_; }

 private:
  IoctlControl& control_;
  const Opening opening_;
  const std::shared_ptr<Lane> lane_;
  const std::shared_ptr<BlobTransfer> transfer_;
};

}  // namespace vtpm
