#include "ctl/tool/cli/overview.h"

#include <algorithm>

#include "ctl/tool/services/instances.h"

namespace vtpm {
namespace {

struct Instance {
  std::string name;
  std::string device;
  ServiceState service;
};
using Instances = std::vector<Instance>;

Instances instances_called(const Names& names, Host& host) {
  auto states = host.services.states(names);
  Instances instances;
  for (size_t i = 0; i < names.size(); ++i) {
    instances.push_back({names[i], device_of(host.instances, names[i]).value_or("?"), states[i]});
  }
  return instances;
}

// Whose device it is: of several that are configured with it, the one that runs.
Instances::iterator owner_of(const std::string& device, Instances& instances) {
  auto running = std::ranges::find_if(instances, [&](const Instance& instance) {
    return instance.device == device && instance.service.state == "running";
  });
  return running != instances.end() ? running
                                    : std::ranges::find(instances, device, &Instance::device);
}

TpmView view_of(const Instance* instance, const Host& host) {
  return instance == nullptr ? TpmView()
                             : view_of_instance(instance->name, instance->service, host);
}

Seen ask(const std::string& asked, const std::string& node, const Instance* instance, Host& host) {
  auto ioctl = host.open(node);
  auto view = [&]() -> Result<TpmView> {
    if (!ioctl) {
      return tl::unexpected(ioctl.error());
    }
    DeviceClient device(asked, node, std::move(*ioctl));
    return view_of_running(view_of(instance, host), device, host);
  }();
  return {asked, raw_device(host.paths, node).value_or(""),
          instance == nullptr ? "" : instance->name, std::move(view)};
}

Seen at_rest(const std::string& asked, const Instance& instance, const Host& host) {
  return {asked, instance.device, instance.name, view_of(&instance, host)};
}

// Where udev makes no links, an instance that runs is found by its device.
Result<std::string> node_of(const std::string& asked, const Instance* instance, const Host& host) {
  auto node = control_node(host.paths, asked);
  bool by_device = !node && instance != nullptr && instance->service.state == "running";
  return by_device ? control_node(host.paths, instance->device) : node;
}

}  // namespace

std::vector<Seen> look_at_all(Host& host) {
  std::vector<Seen> all;
  Instances instances = instances_called(list_instances(host.instances), host);
  for (const std::string& device : list_devices(host.paths)) {
    auto owner = owner_of(device, instances);
    auto node = control_node(host.paths, device).value_or(device);
    all.push_back(ask(device, node, owner == instances.end() ? nullptr : &*owner, host));
    if (owner != instances.end()) {
      instances.erase(owner);
    }
  }
  for (const Instance& instance : instances) {
    all.push_back(at_rest(instance.name, instance, host));
  }
  return all;
}

std::vector<Seen> look_at(const Names& names, Host& host) {
  Names called;
  for (const std::string& name : names) {
    if (auto instance = instance_called(name, host.instances, host.paths)) {
      called.push_back(*instance);
    }
  }
  Instances instances = instances_called(called, host);
  std::vector<Seen> all;
  for (const std::string& name : names) {
    auto found = std::ranges::find(
        instances, instance_called(name, host.instances, host.paths).value_or(""), &Instance::name);
    const Instance* instance = found == instances.end() ? nullptr : &*found;
    auto node = node_of(name, instance, host);
    if (node) {
      all.push_back(ask(name, *node, instance, host));
    } else {
      all.push_back(instance == nullptr ? Seen{name, "", "", tl::unexpected(node.error())}
                                        : at_rest(name, *instance, host));
    }
  }
  return all;
}

std::string phase_words(const Error& failed) {
  return did_not_answer(failed) ? "not answering" : "unknown";
}

Report report_of(const Seen& seen, const Host& host) {
  if (seen.view) {
    return report_of(*seen.view, host);
  }
  std::string device = seen.device.empty() ? "" : host.paths.dev + "/" + seen.device;
  constexpr int kFailed = 1;
  Report report;
  report.add("asked", seen.asked, printable(seen.asked))
      .add("name", seen.name, seen.name.empty() ? "none is known" : printable(seen.name))
      .add("device", device, device.empty() ? "unknown" : printable(device))
      .add("phase", phase_words(seen.view.error()));
  return add_error(report, seen.view.error(), kFailed);
}

// Whoever may not ask has seen nothing; a TPM that does not answer is one to be looked after.
Result<void> told_of_failures(const std::vector<Seen>& all) {
  std::string which;
  const Error* first = nullptr;
  for (const Seen& seen : all) {
    if (!seen.view) {
      which += (which.empty() ? "" : ", ") + seen.asked;
      first = first == nullptr ? &seen.view.error() : first;
    }
  }
  return first == nullptr ? Result<void>()
                          : failure(first->code, "could not ask " + which + ": " + first->message);
}

}  // namespace vtpm
