// What an open file is, as a plain value, apart from what is outstanding on it (requests that wait,
// a poller, an alarm). It can be compared, told, written down and read back, by this process or by
// another that goes on in its place; docs/open_file_format.md has the format.
//
// Ownership: owns its bytes, move-only; what came from a TPM is wiped with it. Threads: a plain
// value, no locking.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "ctl/control/blob_transfer.h"
#include "ctl/control/privilege.h"
#include "ctl/door/node.h"
#include "cuse/nodes/response_buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/secret.h"

namespace vtpm {

enum class NodeKind : uint8_t { raw, control, managed };

// Whose file it is: the credentials that the opener had.
struct Peer {
  pid_t process = 0;  // the opening thread, where nobody has asked what it belongs to
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;  // of the process; empty: nobody has asked
  friend bool operator==(const Peer&, const Peer&) = default;
};

// What was settled when it was opened.
struct Opening {
  NodeKind node = NodeKind::raw;
  bool may_write = false;  // the access mode allows it
  Privilege privilege = Privilege::anyone;
  Peer peer;
  friend bool operator==(const Opening&, const Opening&) = default;
};

struct OpenFileState {
  Opening opening;
  ResponseBuffer response;
  std::chrono::milliseconds response_left{};  // until a response that is pending is discarded
  Transfer transfer;
  friend bool operator==(const OpenFileState&, const OpenFileState&) = default;
};

// One line for people, without a byte of what came from a TPM.
std::string to_string(const OpenFileState& state);

WipedBytes write_open_file(const OpenFileState& state);

// Errors: unsupported for another version of the format; corrupt for whatever no open file of that
// node can be.
Result<OpenFileState> read_open_file(ByteView written, NodeKind node);

}  // namespace vtpm
