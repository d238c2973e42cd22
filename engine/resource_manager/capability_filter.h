// TPM2_GetCapability as a space sees it: its own transient handles and sessions, and properties
// that say how many more it may have.
//
// Threads: under the TPM's lock. Errors: none; an answer of the TPM that is too short stays as it
// is. Source: TPM 2.0 Library part 3 section 30.2; part 2 sections 6.13 and 10.10.
#pragma once

#include <optional>
#include <vector>

#include "engine/resource_manager/command_layout.h"
#include "engine/resource_manager/limits.h"
#include "engine/resource_manager/parked_sessions.h"

namespace vtpm {

class CapabilityFilter {
 public:
  CapabilityFilter(const SpaceTables& space, const Limits& limits, const ParkedSessions& parked)
      : space_(space), limits_(limits), parked_(parked) {}

  // Whether the answer differs from the TPM's. Such a question must come without sessions: an
  // answer that was altered does not fit the HMAC that the TPM makes over it.
  [[nodiscard]] bool concerns(const Command& command, const CommandLayout& layout) const;

  // `response`: the TPM's, which succeeded.
  void apply(const CommandLayout& layout, Bytes& response) const;

 private:
  struct Question {
    uint32_t capability;
    uint32_t property;
    uint32_t count;
  };
  static Question question(const CommandLayout& layout);
  [[nodiscard]] std::vector<uint32_t> handles(uint32_t type) const;
  [[nodiscard]] std::optional<uint32_t> property(uint32_t which) const;
  [[nodiscard]] Bytes handle_answer(const Question& question) const;
  void alter_properties(Bytes& response) const;

  const SpaceTables& space_;
  const Limits& limits_;
  const ParkedSessions& parked_;
};

}  // namespace vtpm
