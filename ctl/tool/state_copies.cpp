#include "ctl/tool/state_copies.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "ctl/tool/file_beside.h"
#include "ctl/tool/linear_store.h"
#include "ctl/tool/state_file.h"
#include "engine/dir_store.h"
#include "engine/state_file_scan.h"

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

Result<void> write_beside(const std::vector<StoredBlob>& state, const Location& to,
                          const OpenStore& open, const std::function<Result<void>()>& last) {
  FileBeside beside(to.path);
  if (!beside || !beside.give_to_owner_of(to.path)) {
    return system_failure("cannot make a file beside " + to.path, errno);
  }
  Location place{to.kind, beside.path(), to.version};
  auto store = open(place, CreateState::never);
  if (!store) {
    return tl::unexpected(store.error());
  }
  auto written =
      (*store)->lock().and_then([&] { return fill_and_compare(state, **store, place, open); });
  if (!written) {
    return written;
  }
  if (auto ready = last(); !ready) {
    return ready;
  }
  if (!beside.become(to.path)) {
    return system_failure("cannot rename " + beside.path() + " to " + to.path, errno);
  }
  return sync_directory_of(to.path);
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

// What open() and lock() made.
void remove_new_directory(const Location& to) {
  ::unlink((to.path + "/.lock").c_str());
  ::rmdir(to.path.c_str());
}

Result<void> put_in_place(const std::vector<StoredBlob>& state, const Location& to, Replace replace,
                          const OpenStore& open) {
  auto store = open(to, CreateState::if_missing);
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

}  // namespace

Result<std::vector<StoredBlob>> take_state(StateStore& from) {
  if (auto locked = from.lock(); !locked) {
    return tl::unexpected(locked.error());
  }
  std::vector<StoredBlob> state;
  for (BlobName name : all_blob_names()) {
    auto data = from.load(name);
    if (data) {
      state.push_back({name, std::move(*data)});
    } else if (data.error().code != Errc::not_found) {
      return tl::unexpected(data.error());
    }
  }
  if (state.empty()) {
    return failure(Errc::not_found, "there is no state in " + from.describe());
  }
  return state;
}

Result<void> put_state(const std::vector<StoredBlob>& state, const Location& to, Replace replace,
                       const OpenStore& open) {
  struct stat status {};
  bool there = ::stat(to.path.c_str(), &status) == 0;
  bool device = there && S_ISBLK(status.st_mode);
  if (device && to.kind == LocationKind::linear) {
    return failure(Errc::unsupported, to.path +
                                          " is a block device; a linear file is written to a "
                                          "regular file only, since it has to appear as a whole");
  }
  if (to.kind == LocationKind::directory || device) {
    auto put = put_in_place(state, to, replace, open);
    if (!put && !there) {
      remove_new_directory(to);
    }
    return put;
  }
  return put_state_file(state, to, replace, open, [] { return Result<void>(); });
}

Result<void> put_state_file(const std::vector<StoredBlob>& state, const Location& to,
                            Replace replace, const OpenStore& open,
                            const std::function<Result<void>()>& before_rename) {
  bool there = is_there(to.path);
  auto held = StorageFile::open(to.path, StorageFile::Access::write, CreateState::if_missing);
  auto locked = held ? held->lock() : tl::unexpected(held.error());
  auto put = locked.and_then([&] { return check_file(*held, to, replace); }).and_then([&] {
    return write_beside(state, to, open, before_rename);
  });
  if (!put && !there) {
    static_cast<void>(remove_file(to.path));
  }
  return put;
}

}  // namespace vtpm
