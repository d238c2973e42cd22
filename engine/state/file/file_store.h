// The `file:` store, the default: a TPM's whole state in one file or block device.
//
// Every blob has two slots, each with sequence number, length and checksum. A store writes the slot
// that is not the newest, with one pwrite and one fdatasync; a load takes the newest good one. So a
// write that was torn, reordered, lost or refused leaves the blob before it. With a key everything
// is sealed (AES-256-GCM, sealing.h). docs/state_format.md has the format and the table of damage.
//
// Of a blob that was stored both slots are always filled: an empty one is a loss, and told. What is
// not the permanent blob is written into both, so that nothing older is left, and slots name the
// lowest number of the others that they go with: an older part of a state is never taken for one of
// this. That both have their space lets a state that does not grow be stored on a full disk.
//
// What is read may be in the kernel's memory alone: what was written before a flush that failed is
// taken for written by the kernel and may be on no disk, and no later flush says otherwise. So only
// what this object has written and flushed is believed to be on the disk. The rest (after a start,
// after a failure) is written again and flushed before anything is overwritten that it stands for
// (docs/decisions/0013).
//
// A file of format version 1 is read as it is; the first write makes it one of version 2.
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

#include "engine/keys/sealing.h"
#include "engine/state/file/state_file_scan.h"
#include "engine/state/file/storage_file.h"
#include "engine/state/state_store.h"

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
  // Where a blob is: what store() has to know.
  struct Place {
    bool known = false;
    size_t idle = 0;        // the slot to write
    uint64_t sequence = 0;  // the highest that was used
    uint64_t newest = 0;    // of the slot that counts; 0: there is none
    uint64_t lowest = 0;    // that may be beside the others: the number before, if that is the same
    std::array<uint64_t, 2> goes_with{};  // as in Slot
    bool present = false;
    bool filled = false;  // so is the other slot: nothing that was removed or replaced is in it
    bool sure = false;    // the slot that counts is on the disk
  };
  // The file, as far as it was understood.
  struct Opened {
    StateFileHeader header;
    size_t copy;  // of the header: the newest, and the last that was written
    Seal seal;
    std::array<Place, kBlobs> places;
    bool headers_agree = true;  // the other one is good too, and of the same epoch
    bool sure = false;          // both headers are on the disk
    bool replaces = false;      // what could not be read: its header is not written yet
  };
  // What becomes of damaged blobs when all are written anew.
  enum class Damaged { refused, stay_damaged };

  FileStore(StorageFile file, FileStoreOptions options);

  Result<void> look_inside();
  [[nodiscard]] Result<void> check_key(const HeaderScan& scan) const;
  Result<Opened> unseal(HeaderScan scan) const;
  [[nodiscard]] Result<BlobScan> scan(size_t blob, uint32_t epoch) const;
  Result<BlobScan> find(size_t blob);
  Result<void> find_all_of_its_tpm(size_t blob);
  Result<void> check_company(size_t blob, const Slot& slot);
  void tell_of_damage(size_t blob, const BlobScan& scan) const;

  [[nodiscard]] bool may_be_found(const BlobScan& scan, size_t blob) const;
  Result<void> make_room(size_t blob);
  Result<void> format();
  Result<void> begin_replacing(size_t blob);
  Result<void> write_new(size_t blob, bool removed, ByteView data);
  Result<void> write_copy(size_t blob, bool removed, ByteView data);
  Result<void> write_idle(size_t blob, bool removed, bool again, ByteView data);
  [[nodiscard]] Result<size_t> used_of(size_t blob, size_t slot) const;
  Result<Bytes> next_slot(Opened& in, size_t blob, Slot slot, ByteView data) const;
  Result<void> write_header(size_t copy);
  Result<void> mark_committed(size_t blob);
  Result<void> make_durable();

  Result<void> settle(size_t blob);
  Result<void> settle_blobs(size_t first, size_t count);
  Result<void> write_slot_again(size_t blob);
  Result<void> write_header_again();
  Result<void> settle_headers();
  Result<void> settle_size();

  Result<void> change_key(SealingKey key, Damaged damaged);
  Result<Opened> begin_anew(const SealingKey& key, StateFileHeader after, size_t copy) const;
  Result<void> copy_into(Opened& rekeyed, Damaged damaged);
  Result<void> copy_blob_into(Opened& rekeyed, size_t blob, ByteView data);
  Result<void> turn(Opened rekeyed);
  Result<void> finish_turn();
  Result<void> finish_slots();
  Result<void> finish_slots_of(size_t blob);

  StorageFile file_;
  FileStoreOptions options_;
  std::optional<Opened> opened_;
};

}  // namespace vtpm
