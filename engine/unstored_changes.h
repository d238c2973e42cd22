// What a TPM wants to have in its store and the store does not have yet: blobs to be stored and
// blobs to be removed, each with the last thing that was wanted of it.
//
// Ownership: borrows the store; owns the blobs, which have secrets in them and are wiped when they
// are no longer wanted. Threads: one at a time, as the store.
// Errors: those of the store, io when it throws.
#pragma once

#include <map>
#include <optional>

#include "engine/bytes.h"
#include "engine/result.h"
#include "engine/state_store.h"

namespace vtpm {

// Bytes that are wiped when they are destroyed or given another value.
class WipedBytes {
 public:
  explicit WipedBytes(Bytes bytes) : bytes_(std::move(bytes)) {}
  WipedBytes(const WipedBytes&) = default;
  WipedBytes(WipedBytes&&) noexcept = default;
  WipedBytes& operator=(const WipedBytes&) = delete;
  WipedBytes& operator=(WipedBytes&& other) noexcept {
    bytes_.swap(other.bytes_);
    return *this;
  }
  ~WipedBytes();

  [[nodiscard]] const Bytes& get() const { return bytes_; }

 private:
  Bytes bytes_;
};

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

  [[nodiscard]] bool empty() const { return changes_.empty(); }
  // Null when nothing is wanted of that blob.
  [[nodiscard]] const Wanted* find(BlobName name) const;
  [[nodiscard]] const Changes& all() const { return changes_; }
  void want(BlobName name, Wanted wanted) { changes_.insert_or_assign(name, std::move(wanted)); }
  void forget(BlobName name) { changes_.erase(name); }
  // In place of all that is wanted now.
  void replace(Changes changes) { changes_ = std::move(changes); }

  // Stores and removes until something fails; what is done is no longer wanted. The permanent state
  // comes behind what belongs to it, and removals come last: an attempt that fails for want of room
  // has removed nothing.
  Result<void> commit();

  // Why the last commit() left something. Null when nothing is wanted.
  [[nodiscard]] const Error* reason() const { return empty() ? nullptr : &reason_; }

 private:
  enum class Step { other_stores, permanent, removals };
  static Step step_of(const Changes::value_type& change);
  Result<void> carry_out(Step step);

  StateStore& store_;
  Changes changes_;
  Error reason_{Errc::io, "it was not tried yet"};
};

}  // namespace vtpm
