// A store whose storage may not be there yet: a disk that is attached later, a file system that is
// mounted later. It is opened by lock() and let go by unlock(), so that what appears in between is
// found by the next try.
//
// Ownership: owns the store while it is open. Threads: as StateStore.
// Errors: those of opening it; not_found while it is not there.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "engine/state/state_store.h"

namespace vtpm {

class LateStore final : public StateStore {
 public:
  using Open = std::function<Result<std::unique_ptr<StateStore>>()>;

  // `description`: what describe() says of the store, open or not.
  LateStore(Open open, std::string description)
      : open_(std::move(open)), description_(std::move(description)) {}

  Result<Bytes> load(BlobName name) override {
    return store_ ? store_->load(name) : tl::unexpected(not_open());
  }
  Result<void> store(BlobName name, ByteView blob) override {
    return store_ ? store_->store(name, blob) : tl::unexpected(not_open());
  }
  Result<void> remove(BlobName name) override {
    return store_ ? store_->remove(name) : tl::unexpected(not_open());
  }
  Result<void> lock() override;
  void unlock() override { store_.reset(); }
  [[nodiscard]] std::string describe() const override { return description_; }

 private:
  // Not "not found": nobody shall take storage that is away for a TPM that never was.
  [[nodiscard]] Error not_open() const { return {Errc::io, description_ + " is not open", 0}; }

  const Open open_;
  const std::string description_;
  std::unique_ptr<StateStore> store_;
};

}  // namespace vtpm
