#include "ctl/tool/states/state_copies.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "ctl/tool/states/file_beside.h"
#include "ctl/tool/states/linear_store.h"
#include "ctl/tool/states/owners_rights.h"
#include "ctl/tool/states/state_file.h"
#include "engine/base/trusted_path.h"
#include "engine/state/file/state_file_scan.h"
#include "engine/state/swtpm/dir_store.h"

namespace vtpm {
namespace {

using PutBack = std::function<Result<void>()>;

const StoredBlob* find(const std::vector<StoredBlob>& state, BlobName name) {
  auto found = std::ranges::find(state, name, &StoredBlob::name);
  return found == state.end() ? nullptr : &*found;
}

tl::unexpected<Error> holds_state(const Location& to) {
  return failure(Errc::invalid,
                 to.text() + " holds the state of a TPM already; --replace puts this one there");
}

Result<std::vector<StoredBlob>> load_those(StateStore& from,
                                           const std::function<bool(BlobName)>& wanted) {
  std::vector<StoredBlob> state;
  for (BlobName name : all_blob_names()) {
    auto data = wanted(name) ? from.load(name) : failure(Errc::not_found, {});
    if (data) {
      state.push_back({name, std::move(*data)});
    } else if (data.error().code != Errc::not_found) {
      return tl::unexpected(data.error());
    }
  }
  return state;
}

Result<std::vector<StoredBlob>> load_all(StateStore& from) {
  auto state = load_those(from, [](BlobName) { return true; });
  return state && state->empty()
             ? failure(Errc::not_found, "there is no state in " + from.describe())
             : std::move(state);
}

Result<std::vector<StoredBlob>> load_unlocked(const Location& from, const LocationKey& key) {
  auto store = open_source(from, key);
  return store ? load_all(**store) : tl::unexpected(store.error());
}

// Of swtpm's directory: its lock is a file in it. One that only root can open stays root's.
Result<void> lock_as_owner(StateStore& store, const Location& from) {
  if (from.kind != LocationKind::directory) {
    return store.lock();
  }
  auto directory = open_trusted(from.path, O_RDONLY | O_DIRECTORY);
  auto owner =
      directory ? OwnersRights::of(directory->fd.get()) : tl::unexpected(directory.error());
  if (!owner) {
    return tl::unexpected(owner.error());
  }
  auto locked = store.lock();
  owner->reset();
  bool roots = !locked && locked.error().code == Errc::denied;
  return roots ? store.lock() : locked;
}

Result<void> fill(const std::vector<StoredBlob>& state, StateStore& to) {
  for (const StoredBlob& blob : state) {
    if (auto stored = to.store(blob.name, blob.data); !stored) {
      return stored;
    }
  }
  for (BlobName name : all_blob_names()) {
    auto removed = find(state, name) == nullptr ? to.remove(name) : Result<void>();
    if (!removed) {
      return removed;
    }
  }
  return {};
}

Result<void> compare(const std::vector<StoredBlob>& state, StateStore& reopened) {
  for (BlobName name : all_blob_names()) {
    auto read = reopened.load(name);
    if (!read && read.error().code != Errc::not_found) {
      return tl::unexpected(read.error());
    }
    const StoredBlob* wanted = find(state, name);
    bool same = wanted == nullptr ? !read : read && *read == wanted->data;
    if (!same) {
      return failure(Errc::corrupt, "what was read back from " + reopened.describe() +
                                        " is not what was written (" + in_words(name) +
                                        "); the storage cannot be trusted");
    }
  }
  return {};
}

// Into a store whose lock is held; what is compared comes from another one.
Result<void> fill_and_compare(const std::vector<StoredBlob>& state, StateStore& store,
                              const Location& place, const OpenStore& open) {
  if (auto filled = fill(state, store); !filled) {
    return filled;
  }
  auto reopened = open(place, CreateState::never);
  return reopened ? compare(state, **reopened) : tl::unexpected(reopened.error());
}

// After a failure: the same error, with what became of the destination.
tl::unexpected<Error> undone(Error error, const Location& to, const PutBack& put_back) {
  auto back = put_back();
  error.message += back ? ". " + to.text() + " is as it was"
                        : ". And " + to.text() +
                              " could not be made what it was: " + back.error().message +
                              ". Do not use it";
  return tl::unexpected(error);
}

// -- A file, renamed over --

enum class Content { blank, state, foreign };

Result<Content> content_of(const StorageFile& file, LocationKind kind) {
  if (kind == LocationKind::linear) {
    return look_at_linear(file).map([](LinearContent content) {
      bool blank = content == LinearContent::blank;
      bool state = content == LinearContent::linear;
      return blank ? Content::blank : (state ? Content::state : Content::foreign);
    });
  }
  return scan_header(file).map([](const HeaderScan& scan) {
    bool blank = scan.formatting == Formatting::blank;
    bool foreign = scan.formatting == Formatting::foreign;
    return blank ? Content::blank : (foreign ? Content::foreign : Content::state);
  });
}

// Whether a state may be put there.
Result<void> check_file(const StorageFile& file, const Location& to, Replace replace) {
  auto content = content_of(file, to.kind);
  if (!content) {
    return tl::unexpected(content.error());
  }
  if (*content == Content::foreign) {
    return failure(Errc::invalid, to.path +
                                      " holds something else than a TPM's state in this "
                                      "format; it is not touched");
  }
  bool possible = *content == Content::blank || replace == Replace::always;
  return possible ? Result<void>() : holds_state(to);
}

// What is to be replaced, opened once and locked.
struct Target {
  FileDescriptor fd;
  StorageFile file;
};

tl::unexpected<Error> no_regular_file(const Location& to) {
  return failure(Errc::invalid, "cannot write " + to.path + ": it is no regular file");
}

Result<std::optional<Target>> open_target(const FilePlace& place, const Location& to) {
  FileDescriptor fd(openat(place.directory(), place.name().c_str(),
                           O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0));
  if (!fd && errno == ENOENT) {
    return std::nullopt;
  }
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    bool other = errno == ELOOP || errno == EISDIR || errno == ENXIO;
    return other ? no_regular_file(to) : system_failure("cannot open " + to.path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return no_regular_file(to);
  }
  return StorageFile::open(path_of(fd), StorageFile::Access::write, CreateState::never)
      .map([&](StorageFile&& file) {
        return std::optional(Target{std::move(fd), std::move(file)});
      });
}

Result<void> claim_target(const FilePlace& place, std::optional<Target>& target, const Location& to,
                          Replace replace) {
  if (!target) {
    return {};
  }
  auto claimed =
      target->file.lock().and_then([&] { return check_file(target->file, to, replace); });
  return claimed ? claimed
                 : tl::unexpected(called(called(claimed.error(), path_of(target->fd), to.path),
                                         place.path(), to.path));
}

// Somebody else's file in a directory that many may write to may wait there to be given a state.
Result<FileOwner> owner_of(const FilePlace& place, const std::optional<Target>& target,
                           const Location& to, Belongs belongs) {
  FileOwner caller{::geteuid(), ::getegid()};
  struct stat directory {};
  struct stat file {};
  if (::fstat(place.directory(), &directory) != 0 ||
      (target && ::fstat(target->fd.get(), &file) != 0)) {
    return system_failure("cannot examine " + to.path, errno);
  }
  if (belongs == Belongs::to_caller || caller.user != 0) {
    return caller;
  }
  if (!target) {
    return FileOwner{directory.st_uid, directory.st_gid};
  }
  if (file.st_uid != caller.user && file.st_uid != directory.st_uid) {
    return failure(Errc::denied, to.path +
                                     " belongs neither to you nor to the owner of its "
                                     "directory, and would give its owner the state. Remove "
                                     "it first, or chown it");
  }
  return FileOwner{file.st_uid, file.st_gid};
}

Result<void> write_beside(const std::vector<StoredBlob>& state, const Location& to,
                          const OpenStore& open, FileBeside& beside) {
  Location place{to.kind, beside.path(), to.version};
  auto store = open(place, CreateState::never);
  auto written =
      store
          ? (*store)->lock().and_then([&] { return fill_and_compare(state, **store, place, open); })
          : tl::unexpected(store.error());
  return written ? written : tl::unexpected(called(written.error(), place.path, to.path));
}

Result<void> become(FileBeside& beside, const FilePlace& place, bool replaces, const Location& to) {
  using Over = FileBeside::Over;
  if (!beside.become(replaces ? Over::anything : Over::nothing)) {
    bool others = beside.in_the_way().empty() && (errno == ESTALE || errno == EEXIST);
    return others ? failure(Errc::busy, "somebody else put a file at " + to.path + " meanwhile")
                  : cannot_write_beside(beside, "cannot give the new file the name ", to.path);
  }
  auto durable = sync_directory_of(place.path());
  if (!durable && !replaces) {
    unlinkat(place.directory(), place.name().c_str(), 0);
  }
  return durable ? durable : tl::unexpected(called(durable.error(), place.path(), to.path));
}

// -- In place --

Result<PutBack> remember_device(const Location& to, Replace replace) {
  auto file = StorageFile::open(to.path, StorageFile::Access::write, CreateState::never);
  if (!file) {
    return tl::unexpected(file.error());
  }
  if (auto possible = check_file(*file, to, replace); !possible) {
    return tl::unexpected(possible.error());
  }
  auto before = file->read(0, kStateFileSize);
  if (!before) {
    return tl::unexpected(before.error());
  }
  auto shared = std::make_shared<StorageFile>(std::move(*file));
  return [shared, bytes = std::move(*before)] {
    return shared->write(0, bytes).and_then([&] { return shared->make_durable(); });
  };
}

Result<void> remove_file(const std::string& path) {
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? Result<void>()
                                                        : system_failure("cannot remove", errno);
}

using Files = std::vector<std::pair<std::string, std::optional<Bytes>>>;

Result<void> put_back_files(const Files& files) {
  for (const auto& [path, content] : files) {
    auto done = content ? write_state_file(path, *content) : remove_file(path);
    if (!done) {
      return done;
    }
  }
  return {};
}

Result<PutBack> remember_directory(const Location& to, Replace replace) {
  constexpr size_t kLargestFile = size_t{1} << 20;
  Files files;
  for (BlobName name : all_blob_names()) {
    std::string path = to.path + "/" + swtpm_file_name(name);
    if (!is_there(path)) {
      files.emplace_back(path, std::nullopt);
      continue;
    }
    auto content = replace == Replace::always ? read_state_file(path, kLargestFile)
                                              : Result<Bytes>(holds_state(to));
    if (!content) {
      return tl::unexpected(content.error());
    }
    files.emplace_back(path, std::move(*content));
  }
  return [files] { return put_back_files(files); };
}

// The same place, by a path that leads there whatever it is called meanwhile.
Location through(const FileDescriptor& directory, const Location& to) {
  return {to.kind, path_of(directory), to.version};
}

Result<void> put_in_place(const std::vector<StoredBlob>& state, const Location& to, Replace replace,
                          const OpenStore& open) {
  auto store = open(to, CreateState::never);
  if (!store) {
    return tl::unexpected(store.error());
  }
  if (auto locked = (*store)->lock(); !locked) {
    return locked;
  }
  auto put_back = to.kind == LocationKind::directory ? remember_directory(to, replace)
                                                     : remember_device(to, replace);
  if (!put_back) {
    return tl::unexpected(put_back.error());
  }
  auto done = fill_and_compare(state, **store, to, open);
  return done ? done : undone(done.error(), to, *put_back);
}

FileDescriptor open_directory(const FilePlace& place) {
  return FileDescriptor(openat(place.directory(), place.name().c_str(),
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0));
}

// By the owner of the directory that it is in, to whom it belongs then.
Result<FileDescriptor> make_directory(const FilePlace& place, const Location& to) {
  auto owner = OwnersRights::of(place.directory());
  if (!owner) {
    return tl::unexpected(owner.error());
  }
  if (::mkdirat(place.directory(), place.name().c_str(), S_IRWXU) != 0) {
    return system_failure("cannot make the directory " + to.path, errno);
  }
  FileDescriptor made = open_directory(place);
  return made ? Result<FileDescriptor>(std::move(made))
              : system_failure("cannot open the directory " + to.path, errno);
}

// What was made here, once it was found of no use.
void remove_new_directory(const FilePlace& place, const FileDescriptor& directory) {
  unlinkat(directory.get(), ".lock", 0);
  unlinkat(place.directory(), place.name().c_str(), AT_REMOVEDIR);
}

// By the directory's owner: what is made in it is that owner's, and nothing is done that the owner
// could not have done.
Result<void> put_into_directory(const std::vector<StoredBlob>& state, const Location& to,
                                Replace replace, const OpenStore& open) {
  std::string path = to.path.substr(0, to.path.find_last_not_of('/') + 1);
  auto place = FilePlace::open(path);
  if (!place) {
    return tl::unexpected(place.error());
  }
  FileDescriptor directory = open_directory(*place);
  bool is_new = !directory && errno == ENOENT;
  if (!directory && !is_new) {
    bool link = errno == ELOOP || (errno == ENOTDIR && is_there(place->path()));
    auto failed = system_failure("cannot open the directory " + to.path, errno);
    failed.value().message += link ? ". It has to be a directory itself; no link is followed" : "";
    return failed;
  }
  auto made = is_new ? make_directory(*place, to) : Result<FileDescriptor>(std::move(directory));
  auto owner = made ? OwnersRights::of(made->get()) : tl::unexpected(made.error());
  if (!owner) {
    return tl::unexpected(owner.error());
  }
  Location there = through(*made, to);
  auto put = put_in_place(state, there, replace, open);
  if (put) {
    return is_new ? sync_directory_of(place->path()) : put;
  }
  if (is_new) {
    remove_new_directory(*place, *made);
  }
  return tl::unexpected(called(put.error(), there.path, to.path));
}

}  // namespace

Result<std::vector<StoredBlob>> take_state(StateStore& from) {
  auto locked = from.lock();
  return locked ? load_all(from) : tl::unexpected(locked.error());
}

Result<std::vector<StoredBlob>> take_state_at(const Location& from, const LocationKey& key) {
  auto store = open_source(from, key);
  auto locked = store ? lock_as_owner(**store, from) : tl::unexpected(store.error());
  return locked ? load_all(**store) : tl::unexpected(locked.error());
}

Result<std::vector<StoredBlob>> take_blobs_at(const Location& from, const LocationKey& key,
                                              TpmVersion version) {
  auto store = open_source(from, key);
  auto locked = store ? lock_as_owner(**store, from) : tl::unexpected(store.error());
  return locked ? load_those(**store, [&](BlobName name) { return name.version == version; })
                : tl::unexpected(locked.error());
}

Result<std::vector<StoredBlob>> take_resting_state(const Location& from, const LocationKey& key) {
  auto state = take_state_at(from, key);
  if (state || state.error().code != Errc::busy) {
    return state;
  }
  constexpr int kMostTries = 10;
  auto before = load_unlocked(from, key);
  for (int tries = 0; before && tries < kMostTries; ++tries) {
    auto behind = load_unlocked(from, key);
    if (!behind || *behind == *before) {
      return behind;
    }
    before = std::move(behind);
  }
  return before ? tl::unexpected(state.error()) : before;
}

Result<void> put_state(const std::vector<StoredBlob>& state, const Location& to, Replace replace,
                       const OpenStore& open) {
  if (to.kind == LocationKind::directory) {
    return put_into_directory(state, to, replace, open);
  }
  // Whatever the name leads to meanwhile, all that follows is done to what is found here.
  auto found = open_trusted(to.path, O_PATH);
  if (!found && found.error().code == Errc::invalid) {
    return tl::unexpected(found.error());
  }
  struct stat status {};
  if (!found || ::fstat(found->fd.get(), &status) != 0 || !S_ISBLK(status.st_mode)) {
    return put_state_file(state, to, replace, Belongs::to_its_place, open,
                          [](const std::string&) { return Result<void>(); });
  }
  if (to.kind == LocationKind::linear) {
    return failure(Errc::unsupported, to.path +
                                          " is a block device; a linear file is written to a "
                                          "regular file only, since it has to appear as a whole");
  }
  Location there = through(found->fd, to);
  auto put = put_in_place(state, there, replace, open);
  return put ? put : tl::unexpected(called(put.error(), there.path, to.path));
}

Result<void> put_state_file(const std::vector<StoredBlob>& state, const Location& to,
                            Replace replace, Belongs belongs, const OpenStore& open,
                            const BeforeRename& before_rename) {
  auto place = FilePlace::open(to.path);
  auto target = place ? open_target(*place, to) : tl::unexpected(place.error());
  auto claimed =
      target ? claim_target(*place, *target, to, replace) : tl::unexpected(target.error());
  auto owner = claimed ? owner_of(*place, *target, to, belongs) : tl::unexpected(claimed.error());
  if (!owner) {
    return tl::unexpected(owner.error());
  }
  FileBeside beside(*place);
  if (!beside || !beside.give_to(*owner)) {
    return cannot_write_beside(beside, "cannot make a file beside ", to.path);
  }
  if (auto written = write_beside(state, to, open, beside); !written) {
    return written;
  }
  if (auto ready = before_rename(place->path()); !ready) {
    return tl::unexpected(called(ready.error(), place->path(), to.path));
  }
  return become(beside, *place, target->has_value(), to);
}

}  // namespace vtpm
