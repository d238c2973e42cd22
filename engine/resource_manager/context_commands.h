// TPM2_FlushContext, and TPM2_ContextSave and TPM2_ContextLoad of sessions, as a space has them:
// answered here, with the TPM's help where it is needed.
//
// Ownership: borrows all; for one command. Threads: under the TPM's lock.
// Source: TPM 2.0 Library part 3 section 28.
#pragma once

#include <optional>

#include "engine/resource_manager/command_layout.h"
#include "engine/resource_manager/parts.h"

namespace vtpm {

class ContextCommands {
 public:
  ContextCommands(const Parts& parts, SpaceTables& space) : parts_(parts), space_(space) {}

  // Nothing: the command goes on its usual way.
  std::optional<Bytes> answer(const Command& command, const CommandLayout& layout);

 private:
  Bytes flush(uint32_t handle);
  Bytes flush_object(uint32_t handle);
  Bytes flush_session(TpmHandle handle);
  Bytes save_session(TpmHandle handle);
  std::optional<Bytes> load_session(ByteView context);

  Parts parts_;
  SpaceTables& space_;
};

}  // namespace vtpm
