// The `dir:` store: swtpm's directory layout, so that a VM can move from swtpm and back.
//
// Files: tpm2-00.permall, tpm2-00.volatilestate for TPM 2.0; tpm-00.permall, tpm-00.volatilestate,
// tpm-00.savestate for TPM 1.2; each in swtpm's blob format (docs/state_format.md), encrypted where
// a key is given. `.lock` carries a write lock over the whole file that also keeps a real swtpm
// out; it is an open-file-description lock, so it lives and dies with this object.
//
// A store writes a temporary file, fsyncs it, renames it over the old one and fsyncs the directory:
// whatever happens in between, the old or the new blob is there, whole. A directory whose fsync
// failed is not believed: what it says is written again before it counts. Files are made 0600, a
// missing directory 0700. Symbolic links within the directory are refused.
#pragma once

#include <memory>
#include <string>

#include "engine/base/file_descriptor.h"
#include "engine/keys/swtpm_key.h"
#include "engine/state/state_store.h"

namespace vtpm {

// "tpm2-00.permall"
std::string swtpm_file_name(BlobName name);

class DirStore final : public StateStore {
 public:
  // Opens the directory; with CreateState::if_missing makes it (its parent must exist).
  // `key` encrypts what is stored, and only what is encrypted with it is loaded; empty: the files
  // are not encrypted, and no encrypted one is loaded.
  static Result<std::unique_ptr<DirStore>> open(const std::string& path, CreateState create,
                                                Sync sync = Sync::full, SwtpmKey key = {});

  Result<Bytes> load(BlobName name) override;
  Result<void> store(BlobName name, ByteView blob) override;
  Result<void> remove(BlobName name) override;
  Result<void> lock() override;
  void unlock() override;
  [[nodiscard]] std::string describe() const override { return "dir:" + path_; }

 private:
  DirStore(std::string path, FileDescriptor directory, Sync sync, SwtpmKey key);

  Result<void> write_durably(const std::string& file, ByteView content);
  Result<void> make_durable(int fd, const std::string& what);
  Result<void> make_names_durable();
  Result<void> make_absence_durable(const std::string& file);
  [[nodiscard]] std::string in_directory(const std::string& file) const;
  [[nodiscard]] const SwtpmKey* key() const { return key_.empty() ? nullptr : &key_; }

  const std::string path_;
  const FileDescriptor directory_;
  const Sync sync_;
  const SwtpmKey key_;
  FileDescriptor lock_;
  bool names_sure_ = false;  // what is named in the directory is so on the disk
};

}  // namespace vtpm
