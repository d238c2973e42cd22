// The control requests as a table: one row per request. The dispatcher, the capability mask, the
// documentation's table and the tests all come from it; a new request is one row, one handler and
// one structure in <vtpm/ioctl.h>.
//
// Handlers know nothing of ioctls, files or sockets: a request's structure in, a response's bytes
// out. They run with no lock held.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "engine/bytes.h"
#include "engine/virtual_tpm.h"

namespace vtpm {

// What handlers work on. Borrowed; outlives every request.
struct ControlContext {
  VirtualTpm& tpm;
  // Asks the daemon to end once the present request is answered; from any thread.
  std::function<void()> end_daemon;
};

// Who may send a request.
enum class Privilege { anyone, control };

// Whether a request waits its turn behind a running command.
enum class Turn { at_once, after_commands };

struct ControlRow {
  uint32_t number;
  std::string_view name;
  std::span<const Phase> phases;  // in others it is answered with BAD_ORDINAL
  Turn turn;
  Privilege privilege;
  uint64_t capability;  // bit in the capability mask; 0 for the request that asks for the mask
  // `in` has exactly the size that the number encodes, or is empty for requests that only answer.
  Bytes (*handle)(ControlContext& context, ByteView in);
};

std::span<const ControlRow> control_table();

// Nothing when there is no such request.
const ControlRow* find_control_row(uint32_t number);

// The capability bits of all rows.
uint64_t capability_mask();

// A response that is the result code alone, for a refused request.
Bytes result_only(uint32_t tpm_result);

}  // namespace vtpm
