// All that can be said of one virtual TPM, whether it runs or not, and how it is told: a running
// and a stopped one have the same fields.
//
// Threads: plain functions and values. Errors: what is not known is empty, and told as unknown.
#pragma once

#include <vtpm/ioctl.h>

#include <optional>
#include <string>
#include <vector>

#include "ctl/tool/device_client.h"
#include "ctl/tool/host.h"
#include "ctl/tool/report.h"

namespace vtpm {

struct TpmView {
  std::string name;    // of the instance; empty: it belongs to none
  std::string device;  // "vtpm0"; empty: not known
  std::vector<std::string> links;
  std::string service;          // "running", "stopped", ...; empty: no instance
  std::optional<bool> enabled;  // where it was asked
  std::string last_words;       // of a service that failed
  std::string last_backup;
  std::string node;  // that was asked; empty: it does not run
  std::optional<vtpm_status> status;
  std::optional<vtpm_details> details;  // nothing from an older daemon
  std::optional<vtpm_config> config;
  bool outdated = false;  // its program is not the one that is installed
};

// The name of the instance with that device ("vtpm0").
std::optional<std::string> instance_with(const Host& host, const std::string& device);

// What the files of an instance tell, with the state of its service, which costs a call of
// systemd's: who looks at many asks once for all.
TpmView view_of_instance(const std::string& name, const std::string& service, const Host& host);

// Asks the device. Errors: those of DeviceClient::call for GET_STATUS.
Result<TpmView> view_of_running(DeviceClient& device, const Host& host);

// Completes the view of an instance by what its service says of it.
void ask_service(TpmView& view, Host& host);

Report report_of(const TpmView& view, const Host& host);

// "2 of 32 tries", "locked out", ...
std::string lockout_words(const TpmView& view);
// "qemu-system-x86 (process 12)"
std::string holder_words(const TpmView& view);
std::string version_name(uint32_t version);
std::string phase_words(const vtpm_status& status);

}  // namespace vtpm
