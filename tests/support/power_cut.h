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
#include <random>
#include <set>
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

// A disk behind the kernel's cache, as Linux has it: the cache is what is read, and what a new
// process finds; a flush that fails has written some of the pages, and the cache takes all of them
// for written. The kernel writes some of its own accord.
class CachedDisk {
 public:
  explicit CachedDisk(uint64_t seed) : random_(seed) {}

  void follow(std::span<const FileChange> changes);
  // What is there when the power is lost: some of what was on its way arrives.
  DiskImage cut_power();

 private:
  static constexpr size_t kPage = 4096;

  void write(const FileChange& change);
  void arrive(uint64_t page);
  void flush(bool fails);

  std::mt19937 random_;
  DiskImage cache_;
  DiskImage disk_;
  std::set<uint64_t> dirty_;  // pages, by their number
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
