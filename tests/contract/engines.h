// The engines that are held to one contract, and what differs between them.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "engine/state/state_store.h"
#include "engine/tpm/engine.h"

namespace vtpm {

struct EngineKind {
  std::string name;
  TpmVersion version;
  std::function<std::unique_ptr<Engine>(StateStore& store, bool may_manufacture)> make;

  Bytes get_random;    // asks for 8 bytes
  size_t random_size;  // of the whole response
  Bytes unknown;       // a command code that no TPM has
  ResponseCode unknown_code;
  ResponseCode not_started;      // to GetRandom before Startup
  ResponseCode already_started;  // to a second Startup
  // What takes long enough to be canceled, if anything does.
  Bytes self_test;

  // A command that makes something persistent, named by a small number, and a command that succeeds
  // only when that is there.
  std::function<Bytes(uint8_t which)> remember;
  std::function<Bytes(uint8_t which)> recall;

  // Whether the engine cannot tell a blob from half of one.
  bool any_blob_will_do = false;

  // A volatile blob of the engine as it is now, as the store keeps it.
  std::function<Bytes()> take_volatile;
};

inline std::ostream& operator<<(std::ostream& out, const EngineKind& kind) {
  return out << kind.name;
}

std::vector<EngineKind> engine_kinds();

}  // namespace vtpm
