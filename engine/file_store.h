// The `file:` store, the default: a TPM's whole state in one file or block device.
//
// Every blob has two slots, each with sequence number, length and checksum. A store writes the slot
// that is not the newest, with one pwrite and one fdatasync; a load takes the newest good one. So a
// write that was torn, reordered, lost or refused leaves the blob before it. With a key everything
// is sealed (AES-256-GCM, sealing.h). docs/state_format.md has the format and the table of damage.
//
// Nothing that is not blank is ever formatted, with one exception: a permanent blob that is given
// in place of a state that cannot be read (a damaged header, a wrong key) begins the file anew.
//
// Write only while the lock is held: what is known of the file is forgotten when it is let go.
// Errors: corrupt when a blob that was stored has no good slot left, not_found when none was
// stored; io when a slot cannot be read, since the newest state may be in that one; denied when a
// key is missing, wrong, or given for a state that is not sealed; unsupported for a newer format;
// busy and io as everywhere.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/sealing.h"
#include "engine/state_file_scan.h"
#include "engine/state_store.h"
#include "engine/storage_file.h"

namespace vtpm {

struct FileStoreOptions {
  StorageFile::Access access = StorageFile::Access::write;
  CreateState create = CreateState::if_missing;
  Sync sync = Sync::full;
  SealingKey key{};     // empty: the state is not sealed
  uint32_t writer = 0;  // libtpms' version, as in Slot
  // Told in a sentence when something was damaged and could be made good.
  std::function<void(const std::string&)> tell{};
};

class FileStore final : public StateStore {
 public:
  // Only opens it; what is in it is looked at by the first use.
  static Result<std::unique_ptr<FileStore>> open(const std::string& path, FileStoreOptions options);

  Result<Bytes> load(BlobName name) override;
  Result<void> store(BlobName name, ByteView blob) override;
  Result<void> remove(BlobName name) override;
  Result<void> lock() override;
  void unlock() override;
  [[nodiscard]] std::string describe() const override { return "file:" + file_.path(); }

  // From now on sealed with `key`, or not sealed if it is empty. Whenever it is interrupted, the
  // whole state is there, under the old key or the new one. What lay under the old one is
  // overwritten then.
  Result<void> rekey(SealingKey key);

 private:
  // The file, as far as it was understood.
  struct Opened {
    StateFileHeader header;
    size_t copy;  // of the header: the newest
    Seal seal;
    // Where each blob is: what store() has to know.
    struct Place {
      bool known = false;
      size_t idle = 0;        // the slot to write
      uint64_t sequence = 0;  // the highest that was used
      bool present = false;
      bool settled = false;  // durable, or of this process: the other slot may be overwritten
    };
    std::array<Place, kBlobs> places;
    bool headers_agree = true;  // the other one is good too, and of the same epoch
    bool replaces = false;      // what could not be read: its header is not written yet
  };

  FileStore(StorageFile file, FileStoreOptions options);

  Result<void> look_inside();
  [[nodiscard]] Result<void> check_key(const HeaderScan& scan) const;
  Result<Opened> unseal(HeaderScan scan) const;
  [[nodiscard]] Result<BlobScan> scan(size_t blob, uint32_t epoch) const;
  Result<BlobScan> find(size_t blob);
  Result<void> make_room(size_t blob);
  Result<void> format();
  Result<void> begin_replacing(size_t blob);
  Result<Bytes> next_slot(Opened& in, size_t blob, bool removed, ByteView data) const;
  Result<void> write_slot(size_t blob, bool removed, ByteView data);
  Result<void> write_header(size_t copy);
  Result<void> mark_committed(size_t blob);
  Result<void> make_durable();
  Result<void> settle(size_t blob);
  Result<void> mend_headers();
  Result<void> write_again(size_t blob);
  Result<Opened> begin_anew(const SealingKey& key, StateFileHeader after, size_t copy) const;
  Result<void> copy_into(Opened& rekeyed);
  Result<void> turn(Opened rekeyed);
  Result<void> finish_turn();
  Result<void> wipe_other_slots();
  void tell_of_damage(size_t blob, const BlobScan& scan) const;

  StorageFile file_;
  FileStoreOptions options_;
  std::optional<Opened> opened_;
};

}  // namespace vtpm
