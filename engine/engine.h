// What runs TPM commands: one TPM without its power cycle rules, its lock or its retries (those are
// VirtualTpm's). libtpms, the fake of the tests and fuzzed engines implement it, and one contract
// suite (tests/contract) holds for all of them.
//
// Ownership: an engine owns the TPM's memory and borrows its StateStore.
// Threads: one call at a time, from any thread; only cancel() may come at any moment.
// Durability: what a command changed is in the store, durably, before execute() returns.
// Errors: power_on() fails with the store's or the TPM's reason and leaves the engine off. A
// command never fails as a call while the engine is on: the TPM's own response says what went
// wrong.
#pragma once

#include <cstdint>

#include "engine/bytes.h"
#include "engine/result.h"
#include "engine/tpm_types.h"

namespace vtpm {

// Bytes. `size` is what the TPM now tells its users in TPM_PT_MAX_COMMAND_SIZE and
// TPM_PT_MAX_RESPONSE_SIZE.
struct BufferSizes {
  uint32_t size;
  uint32_t min;
  uint32_t max;
};

// What becomes of a stored volatile blob once power_on() has loaded it. The TPM never removes it:
// as long as it is kept, every power-on resumes from it.
enum class StoredVolatile { keep, discard };

// What power_on() found: nothing volatile, so the TPM waits for Startup; or a volatile blob, so it
// goes on where that was taken.
enum class PoweredOn { reset, resumed };

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  [[nodiscard]] virtual TpmVersion version() const = 0;

  // _TPM_Init. Loads the state from the store; makes ("manufactures") a new TPM when there is none
  // and that is allowed. The engine must be off.
  virtual Result<PoweredOn> power_on(StoredVolatile stored) = 0;

  // Takes power away without a word to the TPM; a TPM 2.0 wants TPM2_Shutdown first.
  virtual void power_off() = 0;

  // One command. The response is valid until the next call of execute() or power_off().
  // Errors: wrong_phase when the engine is off.
  virtual Result<ByteView> execute(ByteView command, Locality locality) = 0;

  // True when the TPM entered its failure mode since power_on(); only a power cycle ends it.
  [[nodiscard]] virtual bool in_failure_mode() const = 0;

  // Asks a running command to end with TPM_RC_CANCELED. Too late or too early is no error.
  virtual void cancel() = 0;

  // `wanted` 0 asks only; else the nearest possible size is taken, for this and later power cycles.
  // The engine must be off to change it.
  virtual BufferSizes buffer_size(uint32_t wanted) = 0;
};

}  // namespace vtpm
