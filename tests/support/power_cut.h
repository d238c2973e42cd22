// A disk that loses power.
//
// FileFaults keeps what was changed, in order. Of it, a power cut leaves everything that was made
// durable before; of the rest any part, in any order: writes that were lost, whole or torn at the
// disk's sectors. power_cut() shows each image that may be found afterwards, with many writes a
// choice of them that is the same in every run.
//
// Threads: plain functions and values. Units: bytes.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "tests/support/file_faults.h"

namespace vtpm {

inline constexpr size_t kSector = 512;

// A file's content, of which most is zero.
class DiskImage {
 public:
  DiskImage() = default;
  // Empty if there is no such file.
  static DiskImage of(const std::string& path);

  void write_to(const std::string& path) const;

  // Whether the n-th sector of a write arrives.
  using Arrives = std::function<bool(size_t sector)>;
  void apply(
      const FileChange& change, const Arrives& arrives = [](size_t) { return true; });

  [[nodiscard]] uint64_t size() const { return size_; }
  void resize(uint64_t size);
  [[nodiscard]] Bytes read(uint64_t offset, size_t size) const;
  void write(uint64_t offset, ByteView bytes);

 private:
  using Sector = std::array<std::byte, kSector>;

  uint64_t size_ = 0;
  std::map<uint64_t, Sector> sectors_;  // by their number; those that are not there are zero
};

// Shows every image that may be found after a cut behind `changes`, which began with `before`.
void power_cut(const DiskImage& before, std::span<const FileChange> changes,
               const std::function<void(const DiskImage&)>& found);

// -- The same for files that are made, renamed and removed in one directory --

struct DirectoryImage {
  std::map<std::string, Bytes> files;

  static DirectoryImage of(const std::string& path);
  void write_to(const std::string& path) const;
};

// A name is durable with its directory's fsync, a content with its file's.
void power_cut(const DirectoryImage& before, std::span<const DirectoryChange> changes,
               const std::function<void(const DirectoryImage&)>& found);

}  // namespace vtpm
