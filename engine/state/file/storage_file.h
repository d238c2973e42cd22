// The file or block device that a `file:` state lies in: bytes at offsets, made durable on request,
// and a lock.
//
// A regular file must not be reached through a symbolic link as its last name; a block device may
// (/dev/disk/by-id). A file that was removed or replaced under its name is not written any more:
// nobody would find what was written. A path of a descriptor (/proc/self/fd/N) is one of this
// process's own files, which may have no name.
//
// While it is locked it is read past the kernel's cache (O_DIRECT), where the file system can do
// that: another host may have written what both share, and what a flush lost is in the cache still.
//
// The lock is an open-file-description lock, so it lives and dies with this object; a block device
// is also claimed (O_EXCL), which keeps mkfs and mount away.
//
// Ownership: owns its descriptors. Threads: one at a time. Units: bytes.
// Errors: of the operating system, with the path. Once the file is open, whatever fails is io: what
// cannot be read is never not_found. Calls that a signal interrupts are taken up again.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>

#include "engine/base/bytes.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"
#include "engine/state/state_store.h"

namespace vtpm {

// A new name is durable when its directory is.
Result<void> sync_directory_of(const std::string& path);

class StorageFile {
 public:
  enum class Access { read, write };

  // With CreateState::if_missing an empty file is made (0600) where there is none; the directory
  // has to exist. An empty file's name is made durable.
  static Result<StorageFile> open(const std::string& path, Access access, CreateState create);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_block_device() const { return block_device_; }
  [[nodiscard]] Result<uint64_t> size() const;

  // Fewer bytes where the file ends.
  [[nodiscard]] Result<Bytes> read(uint64_t offset, size_t size) const;
  Result<void> write(uint64_t offset, ByteView bytes);
  // A regular file; the new end is durable with the next make_durable().
  Result<void> resize(uint64_t size);
  // Before a TPM is made in it: mode 0600 for a regular file that was there before, as a new one
  // has. Fails where the file is somebody else's.
  Result<void> close_to_others();
  // What was written so far, and where it is.
  Result<void> make_durable();

  // Shared with other readers if it was opened for reading. If another file has taken the name
  // since this one was opened, that one is opened and locked. Locking twice is no error. Errors:
  // busy.
  Result<void> lock();
  void unlock();
  [[nodiscard]] bool is_locked() const { return locked_; }

 private:
  StorageFile(std::string path, FileDescriptor file, Access access, bool block_device);

  // Both: the bytes from `offset` on, or what there is of them, from one call.
  [[nodiscard]] ssize_t read_cached(std::span<std::byte> into, uint64_t offset) const;
  [[nodiscard]] ssize_t read_direct(std::span<std::byte> into, uint64_t offset) const;
  [[nodiscard]] Result<void> check_still_there() const;
  [[nodiscard]] bool has_its_name() const;
  [[nodiscard]] Result<void> lock_this();
  [[nodiscard]] Result<void> claim();

  std::string path_;
  FileDescriptor file_;
  FileDescriptor claim_;  // of a block device, while locked
  Access access_;
  bool block_device_;
  bool made_here_ = false;
  bool locked_ = false;
};

}  // namespace vtpm
