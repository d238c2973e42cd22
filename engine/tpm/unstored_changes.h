// What a TPM wants to have in its store and the store does not have yet: blobs to be stored and
// blobs to be removed, each with the last thing that was wanted of it.
//
// What a call of the library adds lies apart until it is kept or committed, so that a call which is
// abandoned takes back its own part, and costs nothing where it has added none.
//
// Ownership: borrows the store; owns the blobs, which have secrets in them and are wiped when they
// are no longer wanted. Threads: one at a time, as the store.
// Errors: those of the store, io when it throws.
#pragma once

#include <map>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/secret.h"
#include "engine/state/state_store.h"

namespace vtpm {

class UnstoredChanges {
 public:
  struct InOrder {
    bool operator()(const BlobName& a, const BlobName& b) const {
      return a.version != b.version ? a.version < b.version : a.kind < b.kind;
    }
  };
  // Bytes: to be stored; nothing: to be removed.
  using Wanted = std::optional<WipedBytes>;
  using Changes = std::map<BlobName, Wanted, InOrder>;

  explicit UnstoredChanges(StateStore& store) : store_(store) {}

  [[nodiscard]] bool empty() const { return kept_.empty() && added_.empty(); }
  // The last thing that is wanted of that blob. Null when nothing is.
  [[nodiscard]] const Wanted* find(BlobName name) const;

  void want(BlobName name, Wanted wanted) { added_.insert_or_assign(name, std::move(wanted)); }
  // What was wanted since the last keep() or commit().
  [[nodiscard]] const Changes& added() const { return added_; }
  [[nodiscard]] bool any_new() const { return !added_.empty(); }
  void drop_new() { added_.clear(); }
  void keep();

  // All but what is new.
  [[nodiscard]] const Changes& kept() const { return kept_; }
  void forget(BlobName name);
  // In place of all that is wanted now.
  void replace(Changes changes);

  // Keeps what is new, then stores and removes until something fails; what is done is no longer
  // wanted. The permanent state comes behind what belongs to it, and removals come last: an attempt
  // that fails for want of room has removed nothing.
  Result<void> commit();

  // Why the last commit() left something. Null when nothing is wanted.
  [[nodiscard]] const Error* reason() const { return empty() ? nullptr : &reason_; }

 private:
  enum class Step { other_stores, permanent, removals };
  static Step step_of(const Changes::value_type& change);
  Result<void> carry_out(Step step);

  StateStore& store_;
  Changes kept_;
  Changes added_;
  Error reason_{Errc::io, "it was not tried yet"};
};

}  // namespace vtpm
