// The control requests and their answers as values: host order, strong types, whole state blobs. A
// protocol's codec (ioctl_codec.h) makes them from bytes and turns answers into bytes; handlers
// know nothing else.
//
// Each request says what it is answered with: a structure of its own, or void when there is no more
// to say than that it was done. A new request is added here, and to ControlRequest below in the
// table's order.
//
// Ownership: values own what they hold; move-only where they hold a state blob. Threads: plain
// values. Units: sizes in bytes. Localities: whatever the caller said; handlers refuse those that
// do not exist.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "ctl/control/state_blob.h"
#include "ctl/control/surroundings.h"
#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"
#include "engine/command/codec.h"
#include "engine/resource_manager/space_status.h"
#include "engine/tpm/engine.h"
#include "engine/tpm/phase.h"

namespace vtpm {
namespace requests {

// -- Power --

// Power on; while on, a power cycle.
struct Init {
  StoredVolatile stored = StoredVolatile::keep;
  using Answer = void;
};

// Power off, and the daemon ends.
struct Shutdown {
  using Answer = void;
};

struct Stop {
  using Answer = void;
};

struct SetVersion {
  TpmVersion version{};
  using Answer = void;
};

// -- Commands --

// One command and its response.
struct Execute {
  Bytes command;                     // at least as many bytes as its header declares
  std::optional<Locality> locality;  // for this command only; nothing: the one that was set last
  struct Answer {
    Bytes response;
  };
};

// For the commands that are accepted from now on.
struct SetLocality {
  Locality locality{};
  using Answer = void;
};

// Asks the running command to end.
struct CancelCommand {
  using Answer = void;
};

struct SetBufferSize {
  uint32_t size = 0;  // 0 asks only
  using Answer = BufferSizes;
};

// -- Established flag and hash interface --

struct GetEstablished {
  struct Answer {
    bool established;
  };
};

struct ResetEstablished {
  Locality locality{};
  using Answer = void;
};

struct HashStart {
  using Answer = void;
};

struct HashData {
  Bytes data;
  using Answer = void;
};

struct HashEnd {
  using Answer = void;
};

// -- State --

// The blob as it is at this moment, in swtpm's format.
struct GetState {
  BlobKind kind{};
  bool decrypted = false;  // without the encryption of the stored file
  struct Answer {
    StateBlob blob;
    bool encrypted = false;  // with the stored file's key
  };
};

// What the next Init goes on from. A blob without a byte: nothing was given, after all.
struct SetState {
  BlobKind kind{};
  StateBlob blob;
  using Answer = void;
};

// Volatile state to storage.
struct StoreVolatile {
  using Answer = void;
};

// Takes the storage lock, trying again up to so many times, 10 ms apart.
struct LockStorage {
  uint32_t retries = 0;
  using Answer = void;
};

// -- Queries --

struct GetCapability {
  struct Answer {
    uint64_t mask;  // a bit for each request: ControlRow::capability
  };
};

struct GetConfig {
  struct Answer {
    bool sealed;  // the stored state is encrypted
    bool migration_key;
  };
};

struct GetInfo {
  uint64_t what = 0;  // as in Engine::info
  struct Answer {
    std::string text;  // JSON
  };
};

struct GetStatus {
  struct Answer {
    Phase phase{};
    TpmVersion version{};
    Locality locality{};
    bool started = false;
    bool storage_locked = false;
    bool in_use = false;
    pid_t daemon = 0;
    uint64_t commands = 0;
    pid_t opener = 0;     // of the raw node, the last one; 0: nobody yet
    std::string storage;  // where the state is
    std::string failure_reason;
  };
};

// What GET_STATUS of the first protocols had no room for.
struct GetDetails {
  struct Answer {
    std::chrono::seconds uptime{};
    std::optional<LockoutState> lockout;  // nothing: not known
    std::optional<StorageFailure> storage_failure;
    std::string program;  // the daemon's version
    std::string opener;   // name of the process that opened the raw node last
  };
};

// Who has the managed node open, opened later than `after`; 0: all.
struct GetSpaces {
  uint64_t after = 0;
  struct Answer {
    std::vector<SpaceStatus> spaces;  // in the order of opening
  };
};

}  // namespace requests

using ControlRequest =
    std::variant<requests::GetCapability, requests::Init, requests::Shutdown,
                 requests::GetEstablished, requests::SetLocality, requests::HashStart,
                 requests::HashData, requests::HashEnd, requests::CancelCommand,
                 requests::StoreVolatile, requests::ResetEstablished, requests::GetState,
                 requests::SetState, requests::Stop, requests::GetConfig, requests::SetBufferSize,
                 requests::GetInfo, requests::LockStorage, requests::Execute, requests::GetStatus,
                 requests::SetVersion, requests::GetDetails, requests::GetSpaces>;

// std::monostate: done, and there is no more to say.
using ControlAnswer =
    std::variant<std::monostate, requests::GetCapability::Answer, requests::GetEstablished::Answer,
                 requests::GetState::Answer, requests::GetConfig::Answer,
                 requests::SetBufferSize::Answer, requests::GetInfo::Answer,
                 requests::Execute::Answer, requests::GetStatus::Answer,
                 requests::GetDetails::Answer, requests::GetSpaces::Answer>;

namespace detail {
template <class Request, class... All>
constexpr size_t index_among(const std::variant<All...>* /*type*/) {
  size_t index = 0;
  bool found = false;
  ((found = found || std::is_same_v<Request, All>, index += found ? 0U : 1U), ...);
  return index;
}
}  // namespace detail

// ControlRequest::index() of one that holds a Request.
template <class Request>
inline constexpr size_t kIndexOf =
    detail::index_among<Request>(static_cast<const ControlRequest*>(nullptr));

}  // namespace vtpm
