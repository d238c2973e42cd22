// What the resource manager believes of spaces, brought back in line with what the TPM has: after a
// power cycle, after a hierarchy ended, after the raw node flushed or started something, after a
// space was closed.
//
// Ownership: borrows all. Threads: under the TPM's lock. Errors: none; what the TPM does not tell
// now is found out when it is used.
#pragma once

#include <span>

#include "engine/resource_manager/residency.h"
#include "engine/resource_manager/spaces.h"
#include "engine/resource_manager/tpm_facts.h"

namespace vtpm {

class Upkeep {
 public:
  Upkeep(Residency& residency, Spaces& spaces) : residency_(residency), spaces_(spaces) {}

  void after_power_cycle(Left left);
  void after_end_of(std::span<const uint32_t> hierarchies);
  // The TPM has given this handle to somebody else, or flushed it.
  void after_loss_of(TpmHandle session);
  // Flushes what closed spaces left in the TPM; what it does not flush now is tried again next
  // time.
  void flush_closed();
  void forget_all();

 private:
  template <class Keep>
  void keep_objects(Keep keep);
  template <class Keep>
  void keep_sessions(Keep keep);
  void check_loaded();
  void show_all();
  bool flush_all_of(SpaceTables& closed);

  Residency& residency_;
  Spaces& spaces_;
};

}  // namespace vtpm
