// The state that an instance's TPM has now: asked from its daemon while the TPM is on, else read
// from its storage, which does not change then.
//
// Threads: one at a time. Errors: those of the device, of the storage and of its key.
#pragma once

#include <string>
#include <vector>

#include "ctl/tool/services/host.h"
#include "ctl/tool/states/state_copies.h"
#include "engine/keys/swtpm_key.h"

namespace vtpm {

// Where an instance keeps its state, with its key.
struct RestingPlace {
  Location where;
  LocationKey key;
};

// `key`: where its key comes from; empty: what the instance's configuration says.
Result<RestingPlace> resting_place(const std::string& instance, const std::string& key,
                                   const Host& host);

struct PresentState {
  std::vector<StoredBlob> blobs;
  bool on;  // it came from the daemon, and the TPM goes on
};

// `asked`: an instance, or a device. While the TPM is on: the permanent blob, and the volatile one
// with `with_volatile`. Else all that is stored, read with the key of resting_place().
// `migration_key`: of the daemon; null where it has none.
Result<PresentState> take_present_state(const std::string& asked, const std::string& key,
                                        const SwtpmKey* migration_key, bool with_volatile,
                                        Host& host);

}  // namespace vtpm
