// Gives a TPM power and takes it, in order.
//
// Shutdown before re-init: before power is taken from a TPM 2.0 that is on and started, it is sent
// TPM2_Shutdown(STATE), and TPM2_Shutdown(CLEAR) if that fails, unless the last command it executed
// was a TPM2_Shutdown that succeeded. Without this an abrupt VM reset counts as a failed
// authorisation (TPM 2.0 Library part 1, dictionary attack protection). STATE comes first because
// firmware may have sent it, followed by another command, and counts on resuming. Nothing is sent
// while the storage is released: the TPM may not write.
//
// Ownership: borrows the parts. Threads: one at a time, under the TPM's lock. docs/lifecycle.md has
// the states and events.
#pragma once

#include <atomic>

#include "engine/command/command_port.h"
#include "engine/resource_manager/resource_manager.h"
#include "engine/tpm/accepted_commands.h"
#include "engine/tpm/command_runner.h"
#include "engine/tpm/engine.h"
#include "engine/tpm/power_state.h"
#include "engine/tpm/storage_custody.h"

namespace vtpm {

struct VirtualTpmOptions {
  bool auto_shutdown = true;  // the rule above
  // A power-on that finds no state leaves the TPM off and waiting instead of failed.
  bool wait_for_storage = false;
  ResourceManagerOptions resources = {};
};

struct PowerCycleParts {
  Engine& engine;
  PowerState& power;
  StorageCustody& storage;
  AcceptedCommands& accepted;
  CommandRunner& runner;
  ResourceManager& resources;
  CommandPort& chain;  // what Startup and Shutdown are sent through
};

class PowerCycle {
 public:
  PowerCycle(PowerCycleParts parts, VirtualTpmOptions options) : parts_(parts), options_(options) {}

  // As VirtualTpm has them.
  Result<void> power_on(StoredVolatile stored);
  Result<void> startup(StartupType type);
  void power_off();
  void end();

  // The lock is back after a hand-over that came to nothing: the TPM goes on, but for storage that
  // somebody else has changed in between, which it must not overwrite: it fails. Errors: corrupt.
  Result<void> reclaim_storage();

 private:
  Result<void> fail_power_on(Error error, bool may_wait);
  void take_power();
  void shut_down_in_order();
  [[nodiscard]] bool needs_shutdown() const;

  const PowerCycleParts parts_;
  const VirtualTpmOptions options_;
  const std::atomic<bool> never_canceled_ = false;
};

}  // namespace vtpm
