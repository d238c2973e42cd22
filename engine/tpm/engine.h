// What runs TPM commands: one TPM without its power cycle rules, its lock or its retries (those are
// VirtualTpm's). libtpms, the fake of the tests and fuzzed engines implement it, and one contract
// suite (tests/contract) holds for all of them.
//
// Ownership: an engine owns the TPM's memory and borrows its StateStore.
// Threads: one call at a time, from any thread; only cancel() may come at any moment.
// Durability: what a command changed is in the store, durably, before execute() returns. What the
// TPM keeps account of beside its commands (failed authorisations, time) is kept in memory while
// the store does not take it, and stored later (docs/decisions/0012).
// Errors: power_on() fails with the store's or the TPM's reason and leaves the engine off. A
// command never fails as a call while the engine is on: the TPM's own response says what went
// wrong.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/tpm_types.h"

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
// goes on where that was taken, behind Startup or before it.
enum class PoweredOn { reset, resumed, resumed_before_startup };

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  [[nodiscard]] virtual TpmVersion version() const = 0;

  // _TPM_Init. Loads the state from the store, but what is unstored() from memory; makes
  // ("manufactures") a new TPM when there is none and that is allowed. The engine must be off.
  virtual Result<PoweredOn> power_on(StoredVolatile stored) = 0;

  // Takes power away without a word to the TPM; a TPM 2.0 wants TPM2_Shutdown first.
  virtual void power_off() = 0;

  // One command. The response is valid until the next call of execute() or power_off(). `canceled`
  // is looked at once cancel() would be heard, so that a cancel in the moment before is not lost.
  //
  // What a command that stores by design (command_traits.h) changed is durable when this returns,
  // together with all that was unstored(). Nothing that another command or one that failed wanted
  // stored is ever undone: what the store does not take is unstored() from then on.
  // Errors: wrong_phase when the engine is off; the store's when the change could not be stored:
  // the TPM is then as it was before the command, or, if even that fails, in failure mode.
  virtual Result<ByteView> execute(ByteView command, Locality locality,
                                   const std::atomic<bool>& canceled) = 0;
  Result<ByteView> execute(ByteView command, Locality locality) {
    return execute(command, locality, std::atomic<bool>(false));
  }

  // A command that asks only, from locality 0, for a status that nobody's command brings about:
  // nothing is stored or undone behind it. What the TPM wants stored at this moment of its own (it
  // forgives failures with time) is stored behind the next command. It may end a hash sequence
  // in progress, as every command: that of a TPM 1.2 does, libtpms' TPM 2.0 goes on. Errors:
  // wrong_phase when the engine is off.
  virtual Result<ByteView> query(ByteView command) = 0;

  // True when the TPM entered its failure mode since power_on(); only a power cycle ends it.
  [[nodiscard]] virtual bool in_failure_mode() const = 0;

  // Asks the command that execute() is running to end with TPM_RC_CANCELED; it is not lost however
  // early in execute() it comes, and never meets a later command.
  // Errors: unsupported where the TPM version has no such thing.
  virtual Result<void> cancel() = 0;

  // -- What the store has not taken yet; at power-on the TPM goes on from it --

  // Why something that the TPM wants to have in the store is in memory alone; null: nothing is.
  // Outlives power cycles. Valid until the next call.
  [[nodiscard]] virtual const Error* unstored() const = 0;

  // Tries again, on or off. Errors: the store's; what is left then stays unstored().
  virtual Result<void> store_unstored() = 0;

  // The store has become somebody else's.
  virtual void drop_unstored() = 0;

  // -- The established flag and the hash interface of the TPM Interface Specification (D-RTM) --

  virtual Result<bool> established() = 0;
  virtual Result<void> reset_established(Locality locality) = 0;
  virtual Result<void> hash_start() = 0;
  virtual Result<void> hash_data(ByteView data) = 0;
  virtual Result<void> hash_end() = 0;

  // -- State as blobs --

  // What the TPM would go on from, taken from its memory at this moment; nothing is written.
  // Errors: not_found for a kind that this TPM does not have, wrong_phase when the engine is off.
  virtual Result<Bytes> get_state(BlobKind kind) = 0;

  // What the next power_on() goes on from, in place of what is stored; written by that power_on().
  // Permanent before volatile. A failure forgets all that was set. The engine must be off.
  virtual Result<void> set_state(BlobKind kind, ByteView blob) = 0;

  // Nothing was set, after all: the next power_on() goes on from what is stored. The engine must be
  // off.
  virtual void forget_state() = 0;

  // Whose state, whose commands. The engine must be off. Errors: unsupported.
  virtual Result<void> set_version(TpmVersion version) = 0;

  // A description as JSON; `what` is a set of VTPM_INFO_* bits.
  virtual Result<std::string> info(uint64_t what) = 0;

  // `wanted` 0 asks only; else the nearest possible size is taken, for this and later power cycles.
  // The engine must be off to change it. Of a TPM that is broken it is what was said last.
  virtual BufferSizes buffer_size(uint32_t wanted) = 0;
};

}  // namespace vtpm
