// TPM commands for tests, with the varying field in view.
#pragma once

#include "engine/base/bytes.h"
#include "engine/command/codec.h"
#include "engine/command/marshal.h"

namespace vtpm {

inline Bytes get_random(uint16_t count) {
  return tpm2_command(cc::get_random, BigEndianWriter().u16(count).take());
}

inline Bytes create_primary() {
  return tpm2_command(cc::create_primary);
}

inline Bytes tpm2_startup(StartupType type = StartupType::clear) {
  return startup_command(TpmVersion::tpm20, type);
}

}  // namespace vtpm
