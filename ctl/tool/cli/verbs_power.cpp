#include <optional>
#include <ostream>

#include "ctl/tool/cli/verbs.h"
#include "ctl/tool/device/holder.h"
#include "ctl/tool/device/transfers.h"
#include "engine/command/codec.h"
#include "engine/command/response_codes.h"

namespace vtpm::verb {
namespace {

// Nothing from a device that has no such request: swtpm's.
Result<std::optional<vtpm_status>> status_if_told(DeviceClient& device) {
  auto status = device.call(request::get_status);
  if (status) {
    return *status;
  }
  if (status.error().code == Errc::unsupported) {
    return std::nullopt;
  }
  return tl::unexpected(status.error());
}

Result<void> require_phase(DeviceClient& device, uint32_t unwanted, const std::string& message) {
  auto status = status_if_told(device);
  if (!status) {
    return tl::unexpected(status.error());
  }
  if (*status && (*status)->phase == unwanted) {
    return tl::unexpected(device.error(Errc::wrong_phase, message + device.asked()));
  }
  return {};
}

Result<void> send_startup(DeviceClient& device, StartupType type) {
  auto status = device.call(request::get_status);
  if (!status) {
    return tl::unexpected(status.error());
  }
  TpmVersion version = status->version == VTPM_VERSION_1_2 ? TpmVersion::tpm12 : TpmVersion::tpm20;
  auto response = execute(device, Locality{0}, startup_command(version, type));
  if (!response) {
    return tl::unexpected(response.error());
  }
  ResponseCode code = response_code(*response);
  if (code != rc::success) {
    return tl::unexpected(
        device.error(Errc::tpm, "the TPM is powered on, but refused Startup with " +
                                    describe_response_code(version, code).text()));
  }
  return {};
}

Result<void> init(const Arguments& arguments, DeviceClient& device) {
  vtpm_init structure{};
  structure.req.init_flags = arguments.delete_volatile ? VTPM_INIT_FLAG_DELETE_VOLATILE : 0;
  if (auto done = device.call(request::init, structure); !done) {
    return tl::unexpected(done.error());
  }
  return arguments.startup ? send_startup(device, *arguments.startup) : Result<void>();
}

// INIT, and a line that says how far the TPM is by that.
Result<void> init_and_tell(const Arguments& arguments, DeviceClient& device, Host& host) {
  return init(arguments, device).map([&] { tell_phase(device, host); });
}

// `otherwise` is done unless somebody would lose the TPM by it.
template <class Action>
Result<void> unless_held(const Arguments& arguments, DeviceClient& device, Action otherwise) {
  auto free = arguments.force ? Result<void>() : check_not_held(device);
  return free ? otherwise() : free;
}

}  // namespace

Result<void> power_on(const Arguments& arguments, DeviceClient& device, Host& host) {
  // INIT would reset a TPM that is on, and with it the measurements of the VM that uses it.
  return require_phase(device, VTPM_PHASE_ON,
                       "the TPM is on already; to reset it: vtpmctl power reset ")
      .and_then([&] { return init_and_tell(arguments, device, host); });
}

Result<void> power_off(const Arguments& arguments, DeviceClient& device, Host&) {
  return unless_held(arguments, device,
                     [&] { return device.call(request::stop).map([](const vtpm_result&) {}); });
}

Result<void> power_reset(const Arguments& arguments, DeviceClient& device, Host& host) {
  return require_phase(device, VTPM_PHASE_OFF, "the TPM is off; to power it on: vtpmctl power on ")
      .and_then([&] {
        return unless_held(arguments, device,
                           [&] { return init_and_tell(arguments, device, host); });
      });
}

Result<void> terminate(const Arguments& arguments, DeviceClient& device, Host&) {
  return unless_held(arguments, device,
                     [&] { return device.call(request::shutdown).map([](const vtpm_result&) {}); });
}

Result<void> version(const Arguments& arguments, DeviceClient& device, Host& host) {
  if (arguments.version) {
    vtpm_version structure{};
    structure.req.version =
        *arguments.version == TpmVersion::tpm12 ? VTPM_VERSION_1_2 : VTPM_VERSION_2_0;
    return device.call(request::set_version, structure).map([](const vtpm_version&) {});
  }
  return device.call(request::get_status).map([&](const vtpm_status& status) {
    std::string name = status.version == VTPM_VERSION_1_2 ? "1.2" : "2.0";
    Report report;
    report.add("version", name, "TPM " + name);
    print(arguments, host, report);
  });
}

void tell_phase(DeviceClient& device, Host& host) {
  auto status = device.call(request::get_status);
  if (!status || status->phase != VTPM_PHASE_ON) {
    return;
  }
  bool started = (status->flags & VTPM_STATUS_STARTED) != 0;
  host.out << device.asked() << ": "
           << (started
                   ? "on, started"
                   : "on, not started: the machine's firmware starts it, or vtpmctl power reset " +
                         device.asked() + " --startup clear")
           << "\n";
}

}  // namespace vtpm::verb
