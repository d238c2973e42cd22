// The commands that the resource manager sends of its own.
//
// Ownership: borrows the port. Threads: as CommandPort.
// Errors: the TPM's response code; rc::failure for a response that makes no sense.
//
// They are short and not the client's, so that no cancel is passed on to them.
#pragma once

#include <atomic>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/secret.h"
#include "engine/command/command_port.h"
#include "engine/resource_manager/handles.h"

namespace vtpm {

template <class T>
using Answer = tl::expected<T, ResponseCode>;

// TPM2_ReadClock: how often the TPM was reset, and restarted or resumed since.
struct StartupCounts {
  uint32_t resets = 0;
  uint32_t restarts = 0;
  friend bool operator==(const StartupCounts&, const StartupCounts&) = default;
};

class OwnCommands {
 public:
  explicit OwnCommands(CommandPort& tpm) : tpm_(tpm) {}

  // A TPMS_CONTEXT. A session is not loaded afterwards, an object is.
  Answer<WipedBytes> save(TpmHandle handle);
  Answer<TpmHandle> load(ByteView context);
  Answer<void> flush(TpmHandle handle);

  Answer<StartupCounts> startup_counts();
  Answer<std::vector<uint32_t>> command_attributes();  // TPMA_CC
  Answer<uint32_t> property(uint32_t property);        // TPM_PT; 0 when the TPM has none such
  // Those that are there from `first` on, of its type.
  Answer<std::vector<uint32_t>> handles(uint32_t first);

 private:
  // The response's parameters.
  Answer<Bytes> send(const Bytes& command);
  Answer<std::vector<uint32_t>> list(uint32_t capability, uint32_t first, uint32_t next_mask);

  CommandPort& tpm_;
  const std::atomic<bool> canceled_ = false;
};

}  // namespace vtpm
