// What the TPM itself says of its commands (TPM_CAP_COMMANDS): how many handles they name, whether
// they return one, whether they flush. It is not a list of ours, so that it fits the TPM's version.
//
// Threads: a plain value. Source: TPM 2.0 Library part 2 section 8.9 (TPMA_CC).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/tpm_types.h"

namespace vtpm {

struct CommandAttributes {
  uint8_t handles = 0;
  bool returns_handle = false;
  bool flushes = false;  // the transient handles among them, when it succeeds
  friend bool operator==(const CommandAttributes&, const CommandAttributes&) = default;
};

class CommandTable {
 public:
  CommandTable() = default;
  // TPMA_CC of each command.
  explicit CommandTable(std::span<const uint32_t> attributes);

  // Nothing when the TPM has no such command.
  [[nodiscard]] std::optional<CommandAttributes> find(CommandCode code) const;

 private:
  struct Row {
    CommandCode code;
    CommandAttributes attributes;
  };
  std::vector<Row> rows_;  // sorted by code
};

}  // namespace vtpm
