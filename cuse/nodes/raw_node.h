// /dev/vtpmN: the raw TPM, for one opener at a time, with the contract of the kernel's /dev/tpmN.
//
// write() takes one command, read() gives its response, poll() tells which of the two is next;
// docs/device.md has the rules and where CUSE makes them differ. Per-open state is in RawFile.
//
// Ownership: borrows everything in RawNodeParts, which outlives the node and its open files.
// Threads: any; see node.h. Nothing waits for the TPM on the calling thread but the command it
// runs.
#pragma once

#include <atomic>
#include <memory>

#include "ctl/control/ioctl_control.h"
#include "cuse/channel/node.h"
#include "cuse/nodes/control_access.h"
#include "engine/base/alarm_clock.h"
#include "engine/base/mutex.h"
#include "engine/base/strand.h"
#include "engine/tpm/virtual_tpm.h"

namespace vtpm {

// How long an unread response is kept, as in the kernel's driver.
inline constexpr std::chrono::seconds kResponseTimeout{120};

// Whether the raw node's opener is the TPM's power switch: on (not started) with open, off in order
// with close.
enum class PowerSwitch { independent, at_open };

struct RawNodeParts {
  VirtualTpm& tpm;
  Strand& queue;
  IoctlControl& control;
  AlarmClock& clock;
  PowerSwitch power = PowerSwitch::independent;
  ControlAccess access = {};
};

class RawNode final : public Node {
 public:
  explicit RawNode(RawNodeParts parts) : parts_(parts) {}

  // EACCES for an opener that may not write, who takes neither the slot nor the power switch; EBUSY
  // while somebody has it open.
  void open(const Opener& opener, OpenReply reply) override;

  [[nodiscard]] bool in_use() const { return taken_; }
  // The process that opened it last: the one that has it open while it is in use. Number 0: none
  // has.
  [[nodiscard]] RawNodeOpener opener() const {
    MutexLock lock(mutex_);
    return opener_;
  }

 private:
  friend class RawFile;

  RawNodeParts parts_;
  std::atomic<bool> taken_ = false;
  mutable Mutex mutex_;
  RawNodeOpener opener_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
