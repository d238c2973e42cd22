// Where the state of a TPM lies, as people name it on vtpmctl's command line, and the store there:
//
//   file:PATH     a file or block device in our format
//   dir:PATH      swtpm's directory
//   linear:PATH   swtpm's linear file (backend-uri=file://)
//   NAME          the state of an instance, as its configuration says
//
// Nothing here needs a daemon. Ownership: values; a store is the caller's. Threads: one at a time.
// Errors: invalid for a name that says no place; not_found for an instance that is not there; for
// keys those of key_source.h.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "ctl/config/instance.h"
#include "engine/base/result.h"
#include "engine/keys/state_keys.h"
#include "engine/state/state_store.h"

namespace vtpm {

enum class LocationKind { file, directory, linear };

struct Location {
  LocationKind kind;
  std::string path;
  std::optional<TpmVersion> version{};  // linear: whose state it is, where that was said
  std::string key{};  // of an instance: where its configuration says that the key comes from

  // "file:/var/lib/vtpm/web01/state"
  [[nodiscard]] std::string text() const;
};

Result<Location> find_location(const std::string& text, const InstancePaths& instances);

// The key of a location, whatever its format. Read once, since its source may be gone then; a store
// is opened more than once.
class LocationKey {
 public:
  // `said`: its source; empty: the instance's own, or no key.
  static Result<LocationKey> read(const Location& location, const std::string& said);

  [[nodiscard]] SealingKey sealing() const;
  [[nodiscard]] SwtpmKey swtpm() const;

 private:
  StateKeys keys_;
};

// The store at a location, not locked yet.
Result<std::unique_ptr<StateStore>> open_location(const Location& location, const LocationKey& key,
                                                  CreateState create);
// Likewise, to take the state from there: of a file, nothing is asked but that it can be read.
Result<std::unique_ptr<StateStore>> open_source(const Location& location, const LocationKey& key);

// All that a store may keep, in the order in which it is to be stored.
std::array<BlobName, 6> all_blob_names();

}  // namespace vtpm
