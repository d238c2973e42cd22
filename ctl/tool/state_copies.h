// Whole states: all blobs of both TPM versions, taken from one store and put into another place.
//
// Who puts one says that it is done only when a freshly opened store has given back every byte;
// after a failure the destination is what it was before. A file is written beside and renamed over;
// a directory or block device is written in place, and what was there is kept in memory meanwhile.
//
// Threads: one at a time. Errors: busy while somebody else holds the state; invalid for a
// destination with a state that is not to be replaced, or with something else; corrupt when what
// was read back differs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ctl/tool/state_locations.h"
#include "engine/bytes.h"

namespace vtpm {

struct StoredBlob {
  BlobName name;
  Bytes data;
};

// Takes the store's lock. Errors: not_found when there is no blob at all.
Result<std::vector<StoredBlob>> take_state(StateStore& from);

// Opens a store at a place: the destination, or a file beside it. Tests put a store of their own
// there.
using OpenStore = std::function<Result<std::unique_ptr<StateStore>>(const Location&, CreateState)>;

enum class Replace { never, always };

Result<void> put_state(const std::vector<StoredBlob>& state, const Location& to, Replace replace,
                       const OpenStore& open);

// Likewise for a regular file, but right before the new file gets its name `before_rename` is
// called.
Result<void> put_state_file(const std::vector<StoredBlob>& state, const Location& to,
                            Replace replace, const OpenStore& open,
                            const std::function<Result<void>()>& before_rename);

}  // namespace vtpm
