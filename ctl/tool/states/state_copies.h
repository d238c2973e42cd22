// Whole states: all blobs of both TPM versions, taken from one store and put into another place.
//
// Who puts one says that it is done only when a freshly opened store has given back every byte;
// after a failure the destination is what it was before. A file is written beside and renamed over;
// a directory or block device is written in place, and what was there is kept in memory meanwhile.
// A directory is opened once and written with the rights of its owner, so that root does nothing
// in it that the owner could not do. A link as its last name is not followed.
//
// Threads: one at a time. Errors: busy while somebody else holds the state; invalid for a
// destination with a state that is not to be replaced, or with something else; corrupt when what
// was read back differs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ctl/tool/states/state_locations.h"
#include "engine/base/bytes.h"

namespace vtpm {

struct StoredBlob {
  BlobName name;
  Bytes data;

  bool operator==(const StoredBlob&) const = default;
};

// Takes the store's lock. Errors: not_found when there is no blob at all.
Result<std::vector<StoredBlob>> take_state(StateStore& from);

// Of a place, whose lock is taken. A lock file that this makes belongs to the directory's owner.
Result<std::vector<StoredBlob>> take_state_at(const Location& from, const LocationKey& key);

// Likewise, but the blobs of one version, perhaps none; whatever the other's are like.
Result<std::vector<StoredBlob>> take_blobs_at(const Location& from, const LocationKey& key,
                                              TpmVersion version);

// As take_state_at, but where a daemon has the lock and its TPM is off: read until it holds still.
Result<std::vector<StoredBlob>> take_resting_state(const Location& from, const LocationKey& key);

// Opens a store at a place: the destination, or a file beside it. Tests put a store of their own
// there.
using OpenStore = std::function<Result<std::unique_ptr<StateStore>>(const Location&, CreateState)>;

enum class Replace { never, always };

Result<void> put_state(const std::vector<StoredBlob>& state, const Location& to, Replace replace,
                       const OpenStore& open);

// Who owns a new file where root makes it: root, or the owner of its directory (of the file that it
// replaces, unless that is a third one's: denied).
enum class Belongs { to_caller, to_its_place };

// Is told the path of the file, by a descriptor of its directory.
using BeforeRename = std::function<Result<void>(const std::string& path)>;

// Likewise for a regular file, but right before the new file gets its name `before_rename` is
// called.
Result<void> put_state_file(const std::vector<StoredBlob>& state, const Location& to,
                            Replace replace, Belongs belongs, const OpenStore& open,
                            const BeforeRename& before_rename);

}  // namespace vtpm
