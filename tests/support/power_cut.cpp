#include "tests/support/power_cut.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

#include "engine/base/file_descriptor.h"

namespace vtpm {
namespace {

using Arrives = DiskImage::Arrives;

constexpr size_t kMostSubsets = 64;  // of whole writes
constexpr size_t kRandomTears = 8;   // of one write
constexpr unsigned kSeed = 1;

// The first and the last, and some in between.
std::vector<size_t> places_in(size_t count) {
  std::vector<size_t> places;
  for (size_t place = 0; place < count; place += 1 + (place > 3 ? count / 8 : 0)) {
    places.push_back(place);
  }
  if (count > 0 && places.back() != count - 1) {
    places.push_back(count - 1);
  }
  return places;
}

// What may be left of a write of that many sectors, besides all and nothing.
std::vector<Arrives> tears_of(size_t sectors, std::mt19937& random) {
  std::vector<Arrives> tears;
  if (sectors < 2) {
    return tears;
  }
  for (size_t place : places_in(sectors)) {
    tears.emplace_back([=](size_t sector) { return sector < place; });
    tears.emplace_back([=](size_t sector) { return sector > place; });
    tears.emplace_back([=](size_t sector) { return sector != place; });
    tears.emplace_back([=](size_t sector) { return sector == place; });
  }
  tears.emplace_back([](size_t sector) { return sector % 2 == 0; });
  tears.emplace_back([](size_t sector) { return sector % 2 == 1; });
  for (size_t i = 0; i < kRandomTears; ++i) {
    std::vector<bool> chosen(sectors);
    std::generate(chosen.begin(), chosen.end(), [&] { return random() % 2 == 0; });
    tears.emplace_back([=](size_t sector) { return chosen.at(sector); });
  }
  return tears;
}

size_t sectors_of(uint64_t offset, size_t size) {
  return size == 0 ? 0 : (offset + size - 1) / kSector - offset / kSector + 1;
}

// Every choice of `count` things, or as many of them as there is time for: all, none, each alone,
// each missing, and others.
std::vector<std::vector<bool>> subsets_of(size_t count, std::mt19937& random) {
  std::vector<std::vector<bool>> subsets;
  if (count < 7) {
    for (size_t bits = 0; bits < size_t{1} << count; ++bits) {
      std::vector<bool>& subset = subsets.emplace_back();
      for (size_t i = 0; i < count; ++i) {
        subset.push_back((bits >> i & 1) != 0);
      }
    }
    return subsets;
  }
  for (bool most : {false, true}) {
    subsets.emplace_back(count, most);
    for (size_t i = 0; i < count; ++i) {
      subsets.emplace_back(count, most).at(i) = !most;
    }
  }
  while (subsets.size() < kMostSubsets) {
    std::vector<bool>& subset = subsets.emplace_back(count);
    std::generate(subset.begin(), subset.end(), [&] { return random() % 2 == 0; });
  }
  return subsets;
}

void run_changes(DiskImage& image, std::span<const FileChange> changes,
                 const std::vector<bool>& made) {
  for (size_t i = 0; i < changes.size(); ++i) {
    if (made.at(i)) {
      image.apply(changes[i]);
    }
  }
}

}  // namespace

// -- One file --

DiskImage DiskImage::of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(std::istreambuf_iterator<char>(file), {});
  DiskImage image;
  image.write(0, as_bytes(content));
  image.resize(content.size());
  return image;
}

void DiskImage::write_to(const std::string& path) const {
  // A new file: of one that is made empty and written again, file systems wait for the disk.
  std::filesystem::remove(path);
  FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));  // NOLINT
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(size_)) != 0) {
    throw std::runtime_error("cannot make " + path);
  }
  for (const auto& [number, sector] : sectors_) {
    uint64_t offset = number * kSector;
    size_t size = std::min<uint64_t>(kSector, size_ - offset);
    if (pwrite(fd.get(), sector.data(), size, static_cast<off_t>(offset)) < 0) {
      throw std::runtime_error("cannot write " + path);
    }
  }
}

void DiskImage::resize(uint64_t size) {
  size_ = size;
  sectors_.erase(sectors_.lower_bound((size + kSector - 1) / kSector), sectors_.end());
  auto last = sectors_.find(size / kSector);
  if (last != sectors_.end()) {
    std::fill(last->second.begin() + static_cast<ptrdiff_t>(size % kSector), last->second.end(),
              std::byte{});
  }
}

Bytes DiskImage::read(uint64_t offset, size_t size) const {
  Bytes bytes(size);
  for (auto found = sectors_.lower_bound(offset / kSector);
       found != sectors_.end() && found->first * kSector < offset + size; ++found) {
    uint64_t start = found->first * kSector;
    uint64_t from = std::max(offset, start);
    uint64_t to = std::min(offset + size, start + kSector);
    std::copy_n(found->second.begin() + static_cast<ptrdiff_t>(from - start), to - from,
                bytes.begin() + static_cast<ptrdiff_t>(from - offset));
  }
  return bytes;
}

void DiskImage::write(uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    size_t within = offset % kSector;
    ByteView piece = bytes.first(std::min(bytes.size(), kSector - within));
    auto& sector = sectors_[offset / kSector];
    std::ranges::copy(piece, sector.begin() + static_cast<ptrdiff_t>(within));
    if (std::ranges::all_of(sector, [](std::byte b) { return b == std::byte{}; })) {
      sectors_.erase(offset / kSector);
    }
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
    size_ = std::max(size_, offset);
  }
}

void DiskImage::apply(const FileChange& change, const Arrives& arrives) {
  if (change.kind == FileChange::Kind::resize) {
    resize(change.offset);
  }
  uint64_t offset = change.offset;
  ByteView rest = change.data;
  for (size_t sector = 0; !rest.empty(); ++sector) {
    ByteView piece = rest.first(std::min(rest.size(), kSector - offset % kSector));
    if (arrives(sector)) {
      write(offset, piece);
    }
    offset += piece.size();
    rest = rest.subspan(piece.size());
  }
}

namespace {

using FoundImage = std::function<void(const DiskImage&)>;
using Changes = std::span<const FileChange>;

// Changes that were lost whole; those that were not may have arrived in either order.
void show_subsets(const DiskImage& durable, Changes lost, std::mt19937& random,
                  const FoundImage& found) {
  const std::vector<FileChange> backwards(lost.rbegin(), lost.rend());
  for (const auto& subset : subsets_of(lost.size(), random)) {
    DiskImage image = durable;
    run_changes(image, lost, subset);
    found(image);
    if (std::ranges::count(subset, true) > 1) {
      image = durable;
      run_changes(image, backwards, {subset.rbegin(), subset.rend()});
      found(image);
    }
  }
}

// One write torn, and all others there or none of them.
void show_tears(const DiskImage& durable, Changes lost, std::mt19937& random,
                const FoundImage& found) {
  for (size_t torn = 0; torn < lost.size(); ++torn) {
    const FileChange& write = lost[torn];
    for (const auto& tear : tears_of(sectors_of(write.offset, write.data.size()), random)) {
      for (bool others : {false, true}) {
        std::vector<bool> made(lost.size(), others);
        made.at(torn) = false;
        DiskImage image = durable;
        run_changes(image, lost, made);
        image.apply(write, tear);
        found(image);
      }
    }
  }
}

// Pieces of everything.
void show_pieces(const DiskImage& durable, Changes lost, std::mt19937& random,
                 const FoundImage& found) {
  for (size_t i = 0; i < kRandomTears && lost.size() > 1; ++i) {
    DiskImage image = durable;
    for (const FileChange& change : lost) {
      image.apply(change, [&](size_t) { return random() % 2 == 0; });
    }
    found(image);
  }
}

}  // namespace

void power_cut(const DiskImage& before, std::span<const FileChange> changes,
               const std::function<void(const DiskImage&)>& found) {
  std::mt19937 random(kSeed);
  DiskImage durable = before;
  auto synced = std::ranges::find(changes.rbegin(), changes.rend(), FileChange::Kind::sync,
                                  &FileChange::kind);
  size_t safe = static_cast<size_t>(changes.rend() - synced);
  run_changes(durable, changes.first(safe), std::vector<bool>(safe, true));
  Changes lost = changes.subspan(safe);
  show_subsets(durable, lost, random, found);
  show_tears(durable, lost, random, found);
  show_pieces(durable, lost, random, found);
}

// -- A disk behind a cache --

void CachedDisk::follow(std::span<const FileChange> changes) {
  for (const FileChange& change : changes) {
    cache_.apply(change);
    switch (change.kind) {
      case FileChange::Kind::write:
        write(change);
        break;
      case FileChange::Kind::resize:
        break;  // is there with the next page that arrives
      case FileChange::Kind::sync:
        flush(false);
        break;
      case FileChange::Kind::failed_sync:
        flush(true);
        break;
    }
  }
}

void CachedDisk::write(const FileChange& change) {
  for (uint64_t page = change.offset / kPage; page * kPage < change.offset + change.data.size();
       ++page) {
    dirty_.insert(page);
  }
  if (random_() % 8 == 0 && !dirty_.empty()) {
    uint64_t page = *std::next(dirty_.begin(), static_cast<long>(random_() % dirty_.size()));
    arrive(page);
    dirty_.erase(page);
  }
}

void CachedDisk::arrive(uint64_t page) {
  disk_.resize(cache_.size());
  disk_.write(page * kPage, cache_.read(page * kPage, kPage));
}

void CachedDisk::flush(bool fails) {
  for (uint64_t page : dirty_) {
    if (!fails || random_() % 2 == 0) {
      arrive(page);
    }
  }
  dirty_.clear();
  if (!fails) {
    disk_.resize(cache_.size());
  }
}

DiskImage CachedDisk::cut_power() {
  for (uint64_t page : dirty_) {
    if (random_() % 2 == 0) {
      arrive(page);
    }
  }
  dirty_.clear();
  return disk_;
}

// -- A directory --

namespace {

// Names and contents apart, as a file system keeps them.
class Directory {
 public:
  explicit Directory(const DirectoryImage& before) {
    for (const auto& [name, content] : before.files) {
      names_[name] = contents_.size();
      contents_.push_back(content);
    }
  }

  // Names that are opened stay the same file.
  static bool is_of_names(const DirectoryChange& change) {
    using Kind = DirectoryChange::Kind;
    return change.kind == Kind::create || change.kind == Kind::rename ||
           change.kind == Kind::unlink;
  }

  void apply_to_names(const DirectoryChange& change, size_t created) {
    switch (change.kind) {
      case DirectoryChange::Kind::create:
        names_[change.name] = created;
        break;
      case DirectoryChange::Kind::rename:
        names_.erase(change.from);
        names_[change.name] = created;
        break;
      case DirectoryChange::Kind::unlink:
        names_.erase(change.name);
        break;
      default:
        break;
    }
  }

  std::map<std::string, size_t> names_;
  std::vector<Bytes> contents_;
};

// One change after all that were before it, with the number of the file that it is about.
struct Numbered {
  const DirectoryChange* change;
  size_t file;
};

std::vector<Numbered> with_numbers(const Directory& before,
                                   std::span<const DirectoryChange> changes) {
  Directory names = before;
  size_t next = before.contents_.size();
  std::map<uint64_t, size_t> open;  // by the operating system's number
  std::vector<Numbered> numbered;
  for (const DirectoryChange& change : changes) {
    size_t file = 0;
    if (change.kind == DirectoryChange::Kind::create) {
      file = open[change.file] = next++;
    } else if (change.kind == DirectoryChange::Kind::rename) {
      file = names.names_.at(change.from);
    } else if (open.contains(change.file)) {
      file = open.at(change.file);
    }
    names.apply_to_names(change, file);
    numbered.push_back({&change, file});
  }
  return numbered;
}

// What may be left of the contents: as durable, all of what was written, or a part.
enum class Left { durable, everything, first_sector, zeroes, nothing };

Bytes left_of(const Bytes& durable, const Bytes& written, Left left) {
  switch (left) {
    case Left::durable:
      return durable;
    case Left::everything:
      return written;
    case Left::first_sector:
      return {written.begin(),
              written.begin() + static_cast<ptrdiff_t>(std::min(written.size(), kSector))};
    case Left::zeroes:
      return Bytes(written.size());
    case Left::nothing:
      return {};
  }
  return {};
}

}  // namespace

DirectoryImage DirectoryImage::of(const std::string& path) {
  DirectoryImage image;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string content(std::istreambuf_iterator<char>(file), {});
    ByteView bytes = as_bytes(content);
    image.files[entry.path().filename().string()].assign(bytes.begin(), bytes.end());
  }
  return image;
}

void DirectoryImage::write_to(const std::string& path) const {
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    std::filesystem::remove_all(entry.path());
  }
  for (const auto& [name, content] : files) {
    std::ofstream(std::filesystem::path(path) / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()),  // NOLINT
               static_cast<std::streamsize>(content.size()));
  }
}

namespace {

// What the changes have come to: what is durable, what was written, and the changes of names that
// are neither lost nor durable.
struct Undecided {
  Directory durable;
  Directory written;
  std::vector<Numbered> names;
};

void follow(Undecided& disk, const Numbered& next) {
  using Kind = DirectoryChange::Kind;
  const DirectoryChange& change = *next.change;
  if (Directory::is_of_names(change)) {
    disk.names.push_back(next);
  }
  if (change.kind == Kind::create) {
    disk.durable.contents_.emplace_back();
    disk.written.contents_.emplace_back();
  } else if (change.kind == Kind::write) {
    Bytes& content = disk.written.contents_.at(next.file);
    content.insert(content.end(), change.data.begin(), change.data.end());
  } else if (change.kind == Kind::sync_file) {
    disk.durable.contents_.at(next.file) = disk.written.contents_.at(next.file);
  } else if (change.kind == Kind::sync_directory) {
    for (const Numbered& name : disk.names) {
      disk.durable.apply_to_names(*name.change, name.file);
    }
    disk.names.clear();
  }
}

DirectoryImage image_of(const Directory& names, const Undecided& disk, Left left) {
  DirectoryImage image;
  for (const auto& [name, file] : names.names_) {
    const Bytes& safe = disk.durable.contents_.at(file);
    const Bytes& all = disk.written.contents_.at(file);
    image.files[name] = safe == all ? safe : left_of(safe, all, left);
  }
  return image;
}

}  // namespace

void power_cut(const DirectoryImage& before, std::span<const DirectoryChange> changes,
               const std::function<void(const DirectoryImage&)>& found) {
  std::mt19937 random(kSeed);
  const Directory begin(before);
  Undecided disk{begin, begin, {}};
  for (const Numbered& next : with_numbers(begin, changes)) {
    follow(disk, next);
  }
  for (const auto& subset : subsets_of(disk.names.size(), random)) {
    Directory names = disk.durable;
    for (size_t i = 0; i < disk.names.size(); ++i) {
      if (subset.at(i)) {
        names.apply_to_names(*disk.names[i].change, disk.names[i].file);
      }
    }
    for (Left left :
         {Left::durable, Left::everything, Left::first_sector, Left::zeroes, Left::nothing}) {
      found(image_of(names, disk, left));
    }
  }
}

}  // namespace vtpm
