#include "engine/resource_manager/tpm_facts.h"

#include "engine/resource_manager/capabilities.h"

namespace vtpm {

Answer<Left> TpmFacts::learn(OwnCommands& tpm) {
  uint64_t change = changes_;
  auto counts = tpm.startup_counts();
  if (!counts) {
    return tl::unexpected(counts.error());
  }
  auto attributes = tpm.command_attributes();
  if (!attributes) {
    return tl::unexpected(attributes.error());
  }
  auto gap = tpm.property(property::kContextGapMax);
  auto sessions = tpm.property(property::kActiveSessionsMax);
  if (!gap || !sessions) {
    return tl::unexpected(gap ? sessions.error() : gap.error());
  }
  Left left = left_since(*counts);
  commands_ = CommandTable(*attributes);
  context_gap_ = *gap;
  active_sessions_ = *sessions;
  counts_ = *counts;
  learned_ = change;
  seen_ = true;
  return left;
}

Left TpmFacts::left_since(const StartupCounts& now) const {
  if (!seen_ || now == counts_) {
    return Left::everything;
  }
  return now.resets == counts_.resets ? Left::what_was_saved : Left::nothing;
}

}  // namespace vtpm
