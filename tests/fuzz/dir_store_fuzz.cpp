// Any content of a `dir:` state's file: what is loaded does not crash, fits into the file, and what
// is stored then is loaded.
#include "engine/state/swtpm/dir_store.h"
#include "tests/support/hex.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vtpm;
  constexpr BlobName kPermanent{TpmVersion::tpm20, BlobKind::permanent};
  static const TemporaryDirectory directory;
  static const auto store =
      DirStore::open(directory.path(), CreateState::never, Sync::none).value();
  directory.write("tpm2-00.permall", {reinterpret_cast<const char*>(data), size});  // NOLINT

  auto loaded = store->load(kPermanent);
  must(store->store(kPermanent, as_bytes("stored")));
  bool fits = !loaded || loaded->size() <= size;
  if (!fits || store->load(kPermanent).value() != to_bytes("stored")) {
    __builtin_trap();
  }
  return 0;
}
