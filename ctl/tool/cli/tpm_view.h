// All that can be said of one virtual TPM, whether it runs or not, and how it is told: a running
// and a stopped one have the same fields.
//
// Threads: plain functions and values. Errors: what is not known is empty, and told as unknown.
#pragma once

#include <vtpm/ioctl.h>

#include <optional>
#include <string>
#include <vector>

#include "ctl/tool/device/device_client.h"
#include "ctl/tool/report/report.h"
#include "ctl/tool/services/host.h"
#include "ctl/tool/services/services.h"

namespace vtpm {

struct TpmView {
  std::string name;    // of the instance; empty: it belongs to none
  std::string device;  // "vtpm0"; empty: not known
  std::vector<std::string> links;
  std::string service;     // "running", "stopped", ...; empty: no instance
  bool enabled = false;    // the service
  std::string run;         // of the service, as systemd numbers it
  std::string last_words;  // of a service that failed
  std::string last_backup;
  std::string node;          // that was asked; empty: it does not run
  std::string managed_node;  // empty: there is none
  std::optional<vtpm_status> status;
  std::optional<vtpm_details> details;  // nothing from an older daemon
  std::optional<vtpm_config> config;
  std::optional<std::vector<vtpm_space>> spaces;  // nothing from an older daemon
  bool outdated = false;                          // its program is not the one that is installed
};

// What the files of an instance tell, with the state of its service: whoever looks at many asks
// for those of all at once.
TpmView view_of_instance(const std::string& name, const ServiceState& service, const Host& host);

// Completes the view by what the device says. Errors: those of DeviceClient::call for GET_STATUS.
Result<TpmView> view_of_running(TpmView view, DeviceClient& device, const Host& host);

// What a service that failed said last; costs a call of the journal's.
void ask_last_words(TpmView& view, Host& host);

Report report_of(const TpmView& view, const Host& host);

// "2 of 32 tries", "locked out", ...
std::string lockout_words(const TpmView& view);
// "no", or who has the raw node open, and how many have the managed one
std::string use_words(const TpmView& view);
// "on, started", and whether the storage fails
std::string phase_words(const TpmView& view);
std::string version_name(uint32_t version);
std::string phase_words(const vtpm_status& status);

}  // namespace vtpm
