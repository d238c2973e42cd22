#include "tests/contract/engines.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_types.h>
#pragma GCC diagnostic pop

#include <cstdlib>

#include "engine/tpm/libtpms_engine.h"
#include "tests/support/commands.h"
#include "tests/support/fake_engine.h"
#include "tests/support/hex.h"
#include "tests/support/nv_commands.h"

namespace vtpm {
namespace {

std::unique_ptr<Engine> make_libtpms(TpmVersion version, StateStore& store, bool may_manufacture) {
  return LibtpmsEngine::create(
             {.version = version, .may_manufacture = may_manufacture, .profile = ""}, store)
      .value();
}

// What TPMLIB_VolatileAll_Store gives is what the library wants in the store.
Bytes take_libtpms_volatile() {
  unsigned char* data = nullptr;
  uint32_t length = 0;
  TPMLIB_VolatileAll_Store(&data, &length);
  Bytes blob = to_bytes(std::as_bytes(std::span(data, length)));
  std::free(data);  // NOLINT: from libtpms
  return blob;
}

EngineKind libtpms20() {
  return {
      .name = "Libtpms20",
      .version = TpmVersion::tpm20,
      .make = [](StateStore& store,
                 bool may) { return make_libtpms(TpmVersion::tpm20, store, may); },
      .get_random = get_random(8),
      .random_size = 20,
      .unknown = tpm2_command(CommandCode{0x1ff}),
      .unknown_code = rc::command_code,
      .not_started = rc::initialize,
      .already_started = rc::initialize,
      .self_test = hex("8001 0000000b 00000143 01"),
      .remember = [](uint8_t which) { return nv_define(which, kNvNoDa); },
      .recall = nv_read_public,
      .take_volatile = take_libtpms_volatile,
  };
}

EngineKind libtpms12() {
  return {
      .name = "Libtpms12",
      .version = TpmVersion::tpm12,
      .make = [](StateStore& store,
                 bool may) { return make_libtpms(TpmVersion::tpm12, store, may); },
      .get_random = hex("00c1 0000000e 00000046 00000008"),
      .random_size = 22,
      .unknown = hex("00c1 0000000a 000000ff"),
      .unknown_code = ResponseCode{0x0a},  // TPM_BAD_ORDINAL
      .not_started = ResponseCode{0x26},   // TPM_INVALID_POSTINIT
      .already_started = ResponseCode{0x26},
      .self_test = hex("00c1 0000000a 00000050"),
      .remember = tpm12_nv_define,
      .recall = tpm12_nv_info,
      .take_volatile = take_libtpms_volatile,
  };
}

EngineKind fake() {
  return {
      .name = "Fake",
      .version = TpmVersion::tpm20,
      .make =
          [](StateStore& store, bool may) {
            auto engine = std::make_unique<FakeEngine>(store);
            engine->may_manufacture = may;
            return engine;
          },
      .get_random = get_random(8),
      .random_size = 20,
      .unknown = tpm2_command(CommandCode{0x1ff}),
      .unknown_code = rc::command_code,
      .not_started = rc::initialize,
      .already_started = rc::initialize,
      .self_test = tpm2_command(cc::self_test),
      .remember =
          [](uint8_t which) {
            return tpm2_command(FakeEngine::kRemember, BigEndianWriter().u32(which).take());
          },
      .recall =
          [](uint8_t which) {
            return tpm2_command(FakeEngine::kRecall, BigEndianWriter().u32(which).take());
          },
      .any_blob_will_do = true,
      .take_volatile = [] { return to_bytes("volatile"); },
  };
}

}  // namespace

std::vector<EngineKind> engine_kinds() {
  return {fake(), libtpms20(), libtpms12()};
}

}  // namespace vtpm
