// /dev/vtpmrmN: a TPM 2.0 for any number of openers, each with a space of its own, with the
// contract of the kernel's /dev/tpmrmN. The rules of read, write and poll are those of the raw node
// (docs/device.md); docs/resource_manager.md has what a space is.
//
// Opening and closing it never gives or takes power, and has nothing to do with the raw node's
// slot.
//
// Ownership: borrows its parts, which outlive the node and its open files. Threads: any.
#pragma once

#include "cuse/nodes/command_file.h"

namespace vtpm {

class ManagedNode final : public Node {
 public:
  explicit ManagedNode(CommandFileParts parts) : parts_(parts) {}

  // EACCES for an opener that may not write.
  void open(const Opener& opener, OpenReply reply) override;
  // With a space that is empty: what a space has ends with its process.
  Result<std::shared_ptr<OpenFile>> restore(ByteView saved) override;

 private:
  const CommandFileParts parts_;
};

}  // namespace vtpm
