#include "cuse/sandbox/sandbox.h"

namespace vtpm {

Result<FilesRestricted> enter_sandbox(const Sandbox& sandbox) {
  if (auto dropped = drop_privileges(sandbox.run_as); !dropped) {
    return tl::unexpected(dropped.error());
  }
  if (sandbox.mode == SandboxMode::off) {
    return FilesRestricted::not_in_this_kernel;
  }
  auto files = restrict_files(sandbox.state);
  if (!files) {
    return files;
  }
  auto unlisted = sandbox.mode == SandboxMode::log ? UnlistedCalls::logged : UnlistedCalls::refused;
  if (auto loaded = load_system_call_filter(unlisted, sandbox.tell_refused, sandbox.reconnects);
      !loaded) {
    return tl::unexpected(loaded.error());
  }
  return files;
}

}  // namespace vtpm
