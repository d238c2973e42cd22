// The `linear:` store: swtpm's linear file (engine/state/swtpm/linear_file.h), for moving a VM from
// swtpm and back. Not for serving: a store writes the file in place, so who needs it whole writes
// it beside and renames it (state_copies.h).
//
// A linear file holds the state of one TPM and does not say of which version: that is told by who
// opens it, or else by the permanent blob's own first bytes.
//
// swtpm does not lock its linear files: that nobody uses one is for the operator to see to.
//
// Errors: as in StateStore; invalid for a blob of another version, or when the version cannot be
// told; unsupported for a block device.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/keys/swtpm_key.h"
#include "engine/state/file/storage_file.h"
#include "engine/state/state_store.h"
#include "engine/state/swtpm/linear_file.h"

namespace vtpm {

// What may be there.
enum class LinearContent { blank, foreign, linear };
Result<LinearContent> look_at_linear(const StorageFile& file);

// All of it that can be state; a block device may go on behind.
Result<Bytes> read_linear(const StorageFile& file);

// Of libtpms' permanent data; nothing when it is neither's.
std::optional<TpmVersion> version_of_permanent(ByteView data);

class LinearStore final : public StateStore {
 public:
  static Result<std::unique_ptr<LinearStore>> open(const std::string& path, CreateState create,
                                                   std::optional<TpmVersion> version, SwtpmKey key);

  Result<Bytes> load(BlobName name) override;
  Result<void> store(BlobName name, ByteView blob) override;
  Result<void> remove(BlobName name) override;
  Result<void> lock() override { return file_.lock(); }
  void unlock() override { file_.unlock(); }
  [[nodiscard]] std::string describe() const override { return "linear:" + file_.path(); }

 private:
  LinearStore(StorageFile file, std::optional<TpmVersion> version, SwtpmKey key)
      : file_(std::move(file)), version_(version), key_(std::move(key)) {}

  Result<Bytes> load(BlobKind kind);
  Result<TpmVersion> find_version();
  Result<void> change(BlobKind kind, const std::optional<Bytes>& blob);
  [[nodiscard]] const SwtpmKey* key() const { return key_.empty() ? nullptr : &key_; }

  StorageFile file_;
  std::optional<TpmVersion> version_;
  const SwtpmKey key_;
};

}  // namespace vtpm
