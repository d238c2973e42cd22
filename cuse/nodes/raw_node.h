// /dev/vtpmN: the raw TPM, for one opener at a time, with the contract of the kernel's /dev/tpmN.
//
// write() takes one command, read() gives its response, poll() tells which of the two is next;
// docs/device.md has the rules and where CUSE makes them differ. What there is of each opener is in
// its RawFile.
//
// Ownership: borrows everything in RawNodeParts, which outlives the node and its open files.
// Threads: any; see node.h. Nothing waits for the TPM on the calling thread but the command it
// runs.
#pragma once

#include "cuse/nodes/control_access.h"
#include "cuse/nodes/opener_slot.h"
#include "cuse/nodes/raw_file.h"

namespace vtpm {

struct RawNodeParts {
  VirtualTpm& tpm;
  Strand& strand;
  IoctlControl& control;
  AlarmClock& clock;
  PowerSwitch power = PowerSwitch::independent;
  ControlAccess access = {};
};

class RawNode final : public Node {
 public:
  explicit RawNode(RawNodeParts parts)
      : file_parts_{parts.tpm, parts.strand, parts.control, parts.clock},
        power_(parts.power),
        access_(parts.access) {}

  // EACCES for an opener that may not write, who takes neither the slot nor the power switch; EBUSY
  // while somebody has it open.
  void open(const Opener& opener, OpenReply reply) override;
  Result<std::shared_ptr<OpenFile>> restore(ByteView saved) override;

  [[nodiscard]] bool in_use() const { return slot_.taken(); }
  // The process that opened it last: the one that has it open while it is in use. Number 0: none
  // has.
  [[nodiscard]] RawNodeOpener opener() const { return slot_.opener(); }

 private:
  const CommandFileParts file_parts_;
  const PowerSwitch power_;
  const ControlAccess access_;
  OpenerSlot slot_;
};

}  // namespace vtpm
