// Commands that end a hierarchy and with it the objects of it, loaded or saved.
//
// Source: TPM 2.0 Library part 3 section 24 (Clear, ChangePPS, ChangeEPS, HierarchyControl).
// Threads: plain functions.
#pragma once

#include <vector>

#include "engine/resource_manager/command_layout.h"

namespace vtpm {

// The hierarchies (TPM_RH) that end when this command succeeds.
std::vector<uint32_t> hierarchies_ended_by(const Command& command, const CommandLayout& layout);

}  // namespace vtpm
