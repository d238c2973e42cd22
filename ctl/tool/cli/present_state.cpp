#include "ctl/tool/cli/present_state.h"

#include "ctl/tool/cli/open_device.h"
#include "ctl/tool/services/instances.h"
#include "ctl/tool/states/backup.h"

namespace vtpm {
namespace {

Result<PresentState> take_at_rest(const std::string& instance, const std::string& key,
                                  const Host& host) {
  auto place = resting_place(instance, key, host);
  auto state = place ? take_resting_state(place->where, place->key) : tl::unexpected(place.error());
  return std::move(state).map([](std::vector<StoredBlob>&& blobs) {
    return PresentState{std::move(blobs), false};
  });
}

bool is_off(DeviceClient& device) {
  auto status = device.call(request::get_status);
  return status && status->phase == VTPM_PHASE_OFF;
}

}  // namespace

Result<RestingPlace> resting_place(const std::string& instance, const std::string& key,
                                   const Host& host) {
  auto where = find_location(instance, host.instances);
  auto read = where ? LocationKey::read(*where, key) : tl::unexpected(where.error());
  return read ? Result<RestingPlace>(RestingPlace{std::move(*where), std::move(*read)})
              : tl::unexpected(read.error());
}

Result<PresentState> take_present_state(const std::string& asked, const std::string& key,
                                        const SwtpmKey* migration_key, bool with_volatile,
                                        Host& host) {
  auto instance = instance_called(asked, host.instances, host.paths);
  auto device = open_device(asked, host);
  if (!device) {
    bool rests = instance && device.error().code == Errc::not_found;
    return rests ? take_at_rest(*instance, key, host) : tl::unexpected(device.error());
  }
  if (instance && is_off(*device)) {
    auto state = take_at_rest(*instance, key, host);
    if (is_off(*device)) {  // all the time
      return state;
    }
  }
  return take_backup(*device, with_volatile, migration_key)
      .map([](std::vector<StoredBlob>&& blobs) {
        return PresentState{std::move(blobs), true};
      });
}

}  // namespace vtpm
