#include <algorithm>

#include "ctl/control/control_handlers.h"
#include "engine/state/swtpm/swtpm_blob.h"

namespace vtpm::handlers {
namespace {

Result<StateBlob> taken_blob(ControlContext& device, BlobKind kind, const SwtpmKey* file_key) {
  auto state = device.tpm.get_state(kind);
  if (!state) {
    return tl::unexpected(state.error());
  }
  StateBlob wiped(std::move(*state));
  return wrap_migration_blob(wiped.view(), device.migration_key, file_key).map([](Bytes blob) {
    return StateBlob(std::move(blob));
  });
}

}  // namespace

Answered<requests::GetState> get_state(ControlCall& call, const requests::GetState& request) {
  ControlContext& device = call.device;
  const SwtpmKey* file_key = request.decrypted ? nullptr : device.file_key;
  auto blob = taken_blob(device, request.kind, file_key);
  // The savestate is the last blob that a migration asks for, whether there is one or not.
  if (request.kind == BlobKind::savestate && device.policy.release_lock_outgoing) {
    if (auto released = device.tpm.release_storage(); !released) {
      return tl::unexpected(released.error());
    }
  }
  if (!blob) {
    return tl::unexpected(blob.error());
  }
  return requests::GetState::Answer{std::move(*blob), file_key != nullptr};
}

Answered<requests::SetState> set_state(ControlCall& call, const requests::SetState& request) {
  ControlContext& device = call.device;
  if (request.blob.empty()) {
    return device.tpm.set_state(request.kind, {});
  }
  auto state = unwrap_migration_blob(request.blob.view(), device.migration_key, device.file_key);
  if (!state) {
    return tl::unexpected(state.error());
  }
  StateBlob wiped(std::move(*state));
  return device.tpm.set_state(request.kind, wiped.view());
}

Answered<requests::StoreVolatile> store_volatile(ControlCall& call,
                                                 const requests::StoreVolatile& /*request*/) {
  return call.device.tpm.store_volatile();
}

AnsweredOrAgain<requests::LockStorage> lock_storage(ControlCall& call,
                                                    const requests::LockStorage& request) {
  constexpr uint32_t kMostRetries = 6000;
  auto locked = call.device.tpm.lock_storage();
  bool may_help = !locked && locked.error().code == Errc::busy;
  if (may_help && call.attempt < std::min(request.retries, kMostRetries)) {
    return Again{kLockPause};
  }
  return locked;
}

}  // namespace vtpm::handlers
