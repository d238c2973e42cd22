// One open file of the managed node: its commands go to a space of its own.
//
// The space is opened behind what the TPM does at that moment, so that no opener waits, and ended
// on the strand, in the file's order, before the release is answered.
//
// Ownership and threads: as CommandFile. It controls nothing: every ioctl is ENOTTY, as on the
// kernel's /dev/tpmrmN.
#pragma once

#include <memory>
#include <utility>

#include "cuse/nodes/command_file.h"

namespace vtpm {

class ManagedFile final : public CommandFile {
 public:
  ManagedFile(const CommandFileParts& parts, OpenFileState state)
      : CommandFile(parts, std::move(state)) {}
  // Once.
  void begin();

  void ioctl(const IoctlRequest& request, IoctlReply reply) override;

 private:
  Bytes execute(const VirtualTpm::Pending& pending, ByteView command) override {
    return space().execute(pending, command);
  }
  int error_for(ByteView command, ByteView response) const override;
  void close_in_order(Closing closing) override;

  [[nodiscard]] std::shared_ptr<ManagedFile> shared() {
    return std::static_pointer_cast<ManagedFile>(shared_from_this());
  }
  // Opened now where there was no memory for it before.
  VirtualTpm::Space& space();

  std::unique_ptr<VirtualTpm::Space> space_;  // on the lane; at the latest it ends with the file
};

}  // namespace vtpm
