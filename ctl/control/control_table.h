// The control requests as a table: one row per request. The dispatcher, the capability mask, the
// documentation's table and the tests all come from it; a new request is one row, one handler and
// one structure in <vtpm/ioctl.h>.
//
// Handlers (control_handlers.h) know nothing of ioctls, files or sockets: a request's structure in,
// a response's bytes out. They run with no lock held.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ctl/control/blob_transfer.h"
#include "engine/base/bytes.h"
#include "engine/keys/swtpm_key.h"
#include "engine/tpm/virtual_tpm.h"

namespace vtpm {

struct ControlPolicy {
  bool reject_locality_4 = false;
  // The storage lock is released once the savestate blob was asked for, the last of a migration.
  bool release_lock_outgoing = false;
  // INIT waits for the storage lock, which the source of a migration may still hold.
  bool incoming = false;
};

// The process that opened the raw node last; 0: nobody yet.
struct RawNodeOpener {
  pid_t process = 0;
  std::string name;
};

// The last time that the storage did not take what a command changed.
struct StorageFailure {
  std::string reason;
  std::chrono::seconds age;
};

// What handlers work on, per device. Borrowed; outlives every request.
struct ControlContext {
  VirtualTpm& tpm;
  ControlPolicy policy = {};
  const SwtpmKey* migration_key = nullptr;  // null: blobs go out unencrypted
  // swtpm's key of the stored state, which blobs are also encrypted with unless the request says
  // DECRYPTED. Null: there is none of swtpm's form.
  const SwtpmKey* file_key = nullptr;
  bool sealed = false;  // the stored state is encrypted, with a key of whatever form
  // Asks the daemon to end once the present request is answered; from any thread.
  std::function<void()> end_daemon = [] {};
  // Tells listeners that another kind of TPM is behind the node now.
  std::function<void()> announce_change = [] {};
  std::function<bool()> raw_node_in_use = [] { return false; };
  std::function<RawNodeOpener()> raw_node_opener = [] { return RawNodeOpener(); };
  std::function<std::chrono::seconds()> uptime = [] { return std::chrono::seconds(0); };
  std::function<std::optional<StorageFailure>()> storage_failure = [] {
    return std::optional<StorageFailure>();
  };
};

// What a caller may do, or a request takes.
enum class Privilege {
  anyone,
  observer,  // member of the configured status group: looks, and changes nothing
  raw_user,  // has the raw TPM open
  control,   // root, or the configured control user or group
};

// Control includes all others; an observer has no commands, and who has the raw TPM open is told
// nothing of the host.
constexpr bool includes(Privilege caller, Privilege needed) {
  return caller == Privilege::control || needed == Privilege::anyone || caller == needed;
}

// When a request is carried out.
enum class Turn {
  at_once,         // whatever runs
  after_commands,  // behind the commands that were accepted before
  as_command,      // likewise, and it is itself a command that a cancel may mean
};

// One request, for its handler.
struct ControlCall {
  ControlContext& device;
  BlobTransfer& transfer;  // of the open file
  Privilege caller;
  VirtualTpm::Pending pending;  // for Turn::as_command
  unsigned attempt = 0;         // how often it was asked to come again
};

// A handler's answer: the response, or the wish to be asked again a little later.
struct ControlOutcome {
  ControlOutcome(Bytes bytes) : response(std::move(bytes)) {}  // NOLINT: meant to convert
  static ControlOutcome again(std::chrono::milliseconds delay) {
    ControlOutcome outcome{Bytes()};
    outcome.retry_after = delay;
    return outcome;
  }

  Bytes response;
  std::optional<std::chrono::milliseconds> retry_after;
};

struct ControlRow {
  uint32_t number;
  std::string_view name;
  std::span<const Phase> phases;  // in others it is answered with BAD_ORDINAL
  Turn turn;
  Privilege privilege;
  uint64_t capability;  // bit in the capability mask; 0 for the request that asks for the mask
  // `in` has exactly the size that the number encodes, or is empty for requests that only answer.
  ControlOutcome (*handle)(ControlCall& call, ByteView in);
};

std::span<const ControlRow> control_table();

// Nothing when there is no such request.
const ControlRow* find_control_row(uint32_t number);

// The capability bits of all rows.
uint64_t capability_mask();

// A response that is the result code alone, for a refused request.
Bytes result_only(uint32_t tpm_result);

}  // namespace vtpm
