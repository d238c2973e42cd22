// One TPM 2.0 for many openers. Each has a space: transient objects, sequences and sessions that
// nobody else sees or can use. What does not fit into the TPM's few slots is saved out and loaded
// again when a command names it; a client whose things fit pays nothing.
//
//   open file --> space --+
//   open file --> space --+--> ResourceManager --> power gate --> ...
//   raw file  --> raw() --+
//
// Ownership: borrows the port below. Spaces borrow the manager and end before it.
// Threads: one at a time, under the TPM's lock, the end of a space too; but snapshot() and
// power_changed(), by any.
// Errors: none. Whatever is wrong, the response says it, in the resource manager's layer where it
// is not the TPM that says it (docs/resource_manager.md has the list).
// Source: TPM 2.0 Library part 1 section 30 (context management).
#pragma once

#include <memory>
#include <vector>

#include "engine/command/command_port.h"
#include "engine/resource_manager/options.h"
#include "engine/resource_manager/space_status.h"

namespace vtpm {

class ResourceManager {
 public:
  explicit ResourceManager(CommandPort& tpm, ResourceManagerOptions options = {});
  ResourceManager(const ResourceManager&) = delete;
  ResourceManager& operator=(const ResourceManager&) = delete;
  ~ResourceManager();

  // Commands of its opener go into it. Its end flushes all that the opener left, and wipes the
  // copies that were kept of it.
  std::unique_ptr<CommandPort> open_space(SpaceOwner peer);

  // For commands of the raw node, which name the TPM's own handles: nothing of a space is loaded
  // while one of them runs. Costs nothing while no space has anything loaded.
  CommandPort& raw() { return *raw_; }

  // Saves out whatever spaces have loaded: before a TPM2_Shutdown(STATE) that does not come by this
  // way, so that a resume finds it; and before a volatile state is taken or stored that another
  // process goes on from, where nobody would know whose it is, nor free its slots.
  void yield_slots();

  // After power was taken or given; never waits for a command. The next command finds out what is
  // left: after a TPM Reset nothing; after a Restart or Resume what was saved out; all, when the
  // TPM goes on from a volatile state.
  void power_changed();

  // The TPM has become another one (its state was replaced, its version changed). All that spaces
  // had is gone, without a word to the TPM.
  void forget_all();

  // In the order of opening. Any thread; never waits for a command.
  [[nodiscard]] std::vector<SpaceStatus> snapshot() const;

 private:
  class Core;
  class SpacePort;
  class RawPort;

  std::unique_ptr<Core> core_;
  std::unique_ptr<CommandPort> raw_;
};

}  // namespace vtpm
