// The proof that a TPM answers on its node, by somebody who may open it: a process of its own, with
// the privileges that the daemon gives up meanwhile.
//
// It opens the node, sends a harmless query, reads a well-formed response, and ends. It has none of
// the daemon's descriptors, is told nothing after its start, and dies with the daemon.
// Threads: start() before the first one.
#pragma once

#include <string>

#include "engine/file_descriptor.h"
#include "engine/result.h"
#include "engine/tpm_types.h"

namespace vtpm {

class NodeCheck {
 public:
  // `node` exists; it is opened as soon as it is served. Errors: io when the system cannot fork.
  static Result<NodeCheck> start(const std::string& node, TpmVersion version);

  // Waits for it. The node must be served by other threads. Once. Errors: what is wrong.
  Result<void> verdict();

 private:
  explicit NodeCheck(FileDescriptor answer) : answer_(std::move(answer)) {}
  FileDescriptor answer_;
};

}  // namespace vtpm
