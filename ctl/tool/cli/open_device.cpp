#include "ctl/tool/cli/open_device.h"

#include "ctl/tool/report/report.h"
#include "ctl/tool/services/instances.h"
#include "ctl/tool/states/state_locations.h"

namespace vtpm {
namespace {

Result<DeviceClient> open_node(const std::string& asked, const std::string& node, Host& host) {
  return host.open(node).map(
      [&](IoctlFunction&& ioctl) { return DeviceClient(asked, node, std::move(ioctl)); });
}

// A daemon that does not say where its state is, or nothing at all, may be the instance's.
bool may_have_state_of(const std::string& instance, DeviceClient& device, const Host& host) {
  auto status = device.call(request::get_status);
  auto place = find_location(instance, host.instances);
  std::string said = status ? text_in(status->state) : "";
  return said.empty() || !place || place->text().starts_with(said);  // a long path is cut
}

}  // namespace

Result<DeviceClient> open_device(const std::string& asked, Host& host) {
  auto linked = control_node(host.paths, asked);
  if (linked) {
    return open_node(asked, *linked, host);
  }
  auto device =
      instance_exists(host.instances, asked) ? device_of(host.instances, asked) : std::nullopt;
  auto node = device ? control_node(host.paths, *device) : linked;
  auto opened = node ? open_node(asked, *node, host) : tl::unexpected(node.error());
  bool its_own = !opened || may_have_state_of(asked, *opened, host);
  return its_own ? std::move(opened) : tl::unexpected(linked.error());
}

}  // namespace vtpm
