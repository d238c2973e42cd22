// A TPM with all that belongs to it: the chain that its commands take, its power cycle, the custody
// of its storage. Everything above (control requests, device nodes) uses the TPM through this class
// only; what it does is in the parts, which it puts together and locks.
//
//   execute(), Space::execute() --> ResourceManager --> PowerGate --> RetryLink --> CommandRunner
//     --> Engine
//
// Ownership: borrows the engine, the store and the back-off, which outlive it.
// Threads: any. Commands, power and state are serialised by the TPM's lock and may block for as
// long as a running command takes; what "never blocks" is said to.
//
// What the store does not take of a TPM's own accounts (failed authorisations, time) is kept in
// memory and tried again: behind the next command, by store_unstored(), before a hand-over and at
// the end (docs/decisions/0012).
//
// Storage: nothing is written while the store's lock is not held. Once it was released for a
// hand-over, commands are answered with TPM_RC_RETRY and power is taken without TPM2_Shutdown,
// until lock_storage() takes it back or power_on() begins anew from what is stored.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/mutex.h"
#include "engine/command/codec.h"
#include "engine/resource_manager/resource_manager.h"
#include "engine/state/state_store.h"
#include "engine/tpm/accepted_commands.h"
#include "engine/tpm/backoff.h"
#include "engine/tpm/command_runner.h"
#include "engine/tpm/engine.h"
#include "engine/tpm/power_cycle.h"
#include "engine/tpm/power_gate.h"
#include "engine/tpm/power_state.h"
#include "engine/tpm/retry_link.h"
#include "engine/tpm/storage_custody.h"
#include "engine/tpm/tpm_events.h"

namespace vtpm {

class VirtualTpm {
 public:
  using Pending = AcceptedCommands::Pending;
  class Space;

  VirtualTpm(Engine& engine, StateStore& store, Backoff& backoff, VirtualTpmOptions options = {});

  // -- Queries; they never block --

  [[nodiscard]] TpmVersion version() const { return engine_.version(); }
  [[nodiscard]] Phase phase() const { return phase_of(power_.state()); }
  [[nodiscard]] TpmState state() const { return power_.state(); }
  [[nodiscard]] bool started() const { return is_started(power_.state()); }
  [[nodiscard]] bool waits_for_storage() const { return power_.state() == TpmState::waiting; }
  [[nodiscard]] bool storage_locked() const { return storage_.held(); }
  // Whether something that the TPM wants stored is in memory alone.
  [[nodiscard]] bool has_unstored() const { return storage_.has_unstored(); }
  [[nodiscard]] uint64_t commands() const { return runner_.commands(); }  // executed so far
  // Empty unless Failed, or waiting for storage.
  [[nodiscard]] std::string failure_reason() const { return power_.failure_reason(); }
  [[nodiscard]] std::string storage() const { return store_.describe(); }

  // -- Power --

  // INIT: power on; while on, a power cycle. Takes the storage lock if it is not held. On failure
  // the phase is Failed and the reason is kept.
  //
  // With wait_for_storage, storage that cannot be had (missing, locked, not readable yet) and
  // storage without a state are no failure: it is let go again, the TPM is off, and until a
  // power_on() succeeds or power_off() ends the waiting, commands are answered with TPM_RC_RETRY.
  // Who waits calls power_on_if_waiting() from time to time.
  //
  // What was given by set_state() is for one power_on(): one that fails forgets it, so that it
  // cannot come over a state that appears later.
  Result<void> power_on(StoredVolatile stored = StoredVolatile::keep);

  // True when it waited and is on now. Whoever has taken the matter over in between is left alone.
  Result<bool> power_on_if_waiting();

  // TPM2_Startup or TPM_Startup, as firmware does it after power-on.
  // Errors: tpm with the response code (also as tpm_result) when the TPM refuses.
  Result<void> startup(StartupType type);

  // STOP: power off, in order. Off already is no error.
  void power_off();

  // SHUTDOWN, or the daemon's own end: power off, in order, for good. A command that runs is
  // cancelled, and waits for nothing any more; commands that have not begun are answered with the
  // failure response, however many there are.
  void end();

  // The other TPM version, with that version's own state. Errors: wrong_phase while on.
  Result<void> set_version(TpmVersion version);

  // -- Commands --

  // Never blocks.
  [[nodiscard]] Pending accept() { return accepted_.accept(); }

  // One command in, one well-formed response out: whatever is wrong, it is said in the TPM's own
  // terms. Without power that is the failure response. `command` has at most kMaxMessage bytes.
  // `locality` is for this command only; nothing: the one set_locality() said.
  Bytes execute(const Pending& pending, ByteView command, std::optional<Locality> locality = {});
  Bytes execute(ByteView command) { return execute(accept(), command); }

  // What an opener has for itself of a TPM 2.0; it ends before this.
  std::unique_ptr<Space> open_space(SpaceOwner owner);
  // In the order of opening. Never blocks.
  [[nodiscard]] std::vector<SpaceStatus> spaces() const { return resources_.snapshot(); }

  // Whether what runs may take long: a command that computes (making keys, self tests), or one that
  // waits before it is sent again. Never blocks; a hint, it may have ended by the time the caller
  // acts.
  [[nodiscard]] bool busy_for_long() const { return runs_long_ || retry_.waits(); }

  // Ends the running command, or the next one if one was accepted and none runs, with
  // TPM_RC_CANCELED. Never blocks, never meets a command that is accepted later. Without a command
  // it does nothing. Errors: unsupported for TPM 1.2.
  Result<void> cancel() { return accepted_.cancel(); }

  // For commands that are accepted after this call, until the next power-on. Never blocks.
  void set_locality(Locality locality) { accepted_.set_locality(locality); }
  [[nodiscard]] Locality locality() const { return accepted_.locality(); }

  // 0 asks only. Errors: wrong_phase when it is to be changed and the TPM is not off.
  Result<BufferSizes> buffer_size(uint32_t wanted);

  // The dictionary-attack protection, asked from the TPM beside the commands of its clients: it is
  // not counted, not the command after TPM2_Shutdown, and nothing is undone for it; what the TPM
  // wants stored of its own meanwhile is stored behind the next command. The TPM is asked each
  // time, for it forgives failures as time passes; only during a hash sequence, into which no
  // command belongs, is it what was found last since power-on, perhaps nothing. Nothing while a
  // command runs, for it does not wait; nor for TPM 1.2, nor for one that is not started or whose
  // storage is let go.
  std::optional<LockoutState> lockout();

  // -- The established flag, the hash interface, the description: as in Engine; wrong_phase unless
  // on, busy for what may write while the storage is released --
  Result<bool> established();
  Result<void> reset_established(Locality locality);
  Result<void> hash_start();
  Result<void> hash_data(ByteView data);
  Result<void> hash_end();
  Result<std::string> info(uint64_t what);

  // -- State --

  // As in Engine; get while on, set while off or failed.
  Result<Bytes> get_state(BlobKind kind);
  Result<void> set_state(BlobKind kind, ByteView blob);
  // Writes the volatile state to storage, where every later power-on finds it. While on.
  // Errors: the store's, also when what belongs to it cannot be stored.
  Result<void> store_volatile();

  // One attempt to store what is unstored. True when nothing is left that a later one could store.
  bool store_unstored();

  // For a hand-over: another process may lock the storage from now on. Errors: the store's, and the
  // lock is kept, when something is unstored: the other process would not have it.
  Result<void> release_storage();
  // One attempt. Errors: busy while somebody else holds it; corrupt, and the phase is Failed, when
  // what is stored was changed while the lock was released.
  Result<void> lock_storage();

  // Any number, before the first event.
  void add_listener(TpmListener& listener) { events_.add(listener); }

 private:
  Bytes send(CommandPort& way, const Pending& pending, ByteView command,
             std::optional<Locality> locality) VTPM_REQUIRES(mutex_);
  Result<void> check(Use use) const VTPM_REQUIRES(mutex_);
  [[nodiscard]] bool hash_sequence_is_open() const VTPM_REQUIRES(mutex_);

  Engine& engine_;
  StateStore& store_;

  mutable Mutex mutex_;  // the TPM's lock: held while a command runs, and around all that follows
  TpmEvents events_;
  PowerState power_;
  StorageCustody storage_;
  AcceptedCommands accepted_;
  CommandRunner runner_;
  RetryLink retry_;
  PowerGate gate_;
  ResourceManager resources_;  // used under the TPM's lock, but for what says otherwise
  PowerCycle power_cycle_;
  std::atomic<bool> runs_long_ = false;
  // How many commands had been executed when a hash sequence began: it counts as open until it ends
  // or the next command comes.
  std::optional<uint64_t> hash_began_ VTPM_GUARDED_BY(mutex_);
  std::optional<LockoutState> last_lockout_ VTPM_GUARDED_BY(mutex_);
};

// Ownership: borrows the TPM. Threads: any; as execute(), and its end may block as that does.
class VirtualTpm::Space {
 public:
  Space(VirtualTpm& tpm, std::unique_ptr<CommandPort> port) : tpm_(tpm), port_(std::move(port)) {}
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
  // Flushes what the opener left.
  ~Space();

  // As VirtualTpm::execute(), always at locality 0: others are for whoever may set them. While the
  // TPM is a 1.2 it says so in the way of one: TPM_BADTAG.
  Bytes execute(const Pending& pending, ByteView command);

 private:
  VirtualTpm& tpm_;
  std::unique_ptr<CommandPort> port_;
};

}  // namespace vtpm
