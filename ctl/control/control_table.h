// The control requests as a table: one row per request. The dispatcher, the capability mask, every
// protocol's codec, the documentation's table and the tests come from it.
//
// A new request is its value (requests.h), its handler (control_handlers.h), a row here, and a line
// in the codec of each protocol that has it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ctl/control/control_call.h"
#include "ctl/control/privilege.h"
#include "ctl/control/requests.h"
#include "engine/tpm/phase.h"

namespace vtpm {

// When a request is carried out.
enum class Turn {
  at_once,         // whatever runs
  after_commands,  // behind the command that runs and the opener's own that were accepted before
  as_command,      // likewise, and it is itself a command that a cancel may mean
};

struct ControlRow {
  size_t request;  // ControlRequest::index()
  std::string_view name;
  std::span<const Phase> phases;  // in others it is refused with BAD_ORDINAL
  Turn turn;
  Privilege privilege;
  uint64_t capability;  // bit in the capability mask; 0 for the request that asks for the mask
  ControlOutcome (*handle)(ControlCall& call, const ControlRequest& request);
};

// In the order of ControlRequest: a request's index is its row's.
std::span<const ControlRow> control_table();

template <class Request>
const ControlRow& control_row() {
  return control_table()[kIndexOf<Request>];
}

// The capability bits of all rows.
uint64_t capability_mask();

}  // namespace vtpm
