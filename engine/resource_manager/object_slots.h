// The objects that are loaded, of all spaces, and their way out of the TPM and back.
//
// Ownership: borrows the commands; objects are their spaces', which take them out of here before
// they end. Threads: under the TPM's lock.
// Errors: the TPM's code; an object that could not be moved is where it was, unless it is gone().
//
// The context of an object stays good when the object is loaded again, so that the next way out is
// a flush alone. That of a sequence is good until a command names it, which changes its state.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/resource_manager/own_commands.h"
#include "engine/resource_manager/space_tables.h"

namespace vtpm {

class ObjectSlots {
 public:
  explicit ObjectSlots(OwnCommands& tpm) : tpm_(tpm) {}

  // So that the next note_loaded() needs no memory.
  void make_place();
  void note_loaded(Object& object, TpmHandle handle);
  // It is not loaded any more, by the TPM's own doing.
  void note_unloaded(Object& object);
  // A command that names it is going to run. It is loaded.
  static void expect_change(Object& object);

  Answer<void> load(Object& object);
  Answer<void> evict(Object& object);

  // The least recently used one, those of other spaces first, none that was used `now`. False when
  // there is none that can go.
  bool evict_one(const SpaceTables* asking, uint64_t now);

  // The TPM had no room for one more: from now on room is made before a load, not after it failed.
  void note_full() { most_ = loaded_.size(); }
  [[nodiscard]] bool full() const { return loaded_.size() >= most_; }
  // Who takes slots besides is unknown again.
  void forget_full() { most_ = kUnknown; }

  [[nodiscard]] const std::vector<Object*>& loaded() const { return loaded_; }

 private:
  static constexpr size_t kUnknown = SIZE_MAX;

  OwnCommands& tpm_;
  std::vector<Object*> loaded_;
  size_t most_ = kUnknown;
};

}  // namespace vtpm
