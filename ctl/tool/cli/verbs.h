// The verbs of vtpmctl, one function for each, by what they are about. commands.cpp has the table.
//
// Each prints what it has to say to host.out, and returns what went wrong for commands.cpp to
// print.
#pragma once

#include "ctl/tool/cli/command_line.h"
#include "ctl/tool/device/device_client.h"
#include "ctl/tool/report/report.h"
#include "ctl/tool/services/host.h"

namespace vtpm::verb {

using Function = Result<void> (*)(const Arguments&, DeviceClient&, Host&);

// -- verbs_query.cpp: asking --
Result<void> list(const Arguments& arguments, Host& host);
Result<void> status(const Arguments& arguments, Host& host);
Result<void> caps(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> info(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> config(const Arguments& arguments, DeviceClient& device, Host& host);

// -- verbs_power.cpp: power and version --
Result<void> power_on(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> power_off(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> power_reset(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> terminate(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> version(const Arguments& arguments, DeviceClient& device, Host& host);

// -- verbs_steer.cpp: the TPM's surroundings --
Result<void> locality(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> cancel(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> established(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> hash(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> buffer_size(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> lock(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> send(const Arguments& arguments, DeviceClient& device, Host& host);

// -- verbs_state.cpp: state blobs --
Result<void> state_save(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> state_load(const Arguments& arguments, DeviceClient& device, Host& host);
Result<void> state_store_volatile(const Arguments& arguments, DeviceClient& device, Host& host);

// -- verbs_instance.cpp: the virtual TPMs that this host keeps --
using HostFunction = Result<void> (*)(const Arguments&, Host&);
Result<void> create(const Arguments& arguments, Host& host);
Result<void> start(const Arguments& arguments, Host& host);
Result<void> stop(const Arguments& arguments, Host& host);
Result<void> restart(const Arguments& arguments, Host& host);
Result<void> enable(const Arguments& arguments, Host& host);
Result<void> disable(const Arguments& arguments, Host& host);
Result<void> destroy(const Arguments& arguments, Host& host);
Result<void> spawn(const Arguments& arguments, Host& host);
Result<void> uevent(const Arguments& arguments, Host& host);
Result<void> forget(const Arguments& arguments, Host& host);
Result<void> reap(const Arguments& arguments, Host& host);

// -- verbs_storage.cpp: state at rest --
Result<void> state_inspect(const Arguments& arguments, Host& host);
Result<void> state_import(const Arguments& arguments, Host& host);
Result<void> state_export(const Arguments& arguments, Host& host);
Result<void> state_rekey(const Arguments& arguments, Host& host);

// What `create --from` names, into an instance that was made just now.
Result<void> import_into_instance(const Arguments& arguments, Host& host);

// -- verbs_backup.cpp: backups, whether the TPM runs or not --
Result<void> state_backup(const Arguments& arguments, Host& host);
Result<void> state_restore(const Arguments& arguments, Host& host);

// -- shared --

// Of a TPM that is on now: whether it is started, and what comes next if not (verbs_power.cpp).
void tell_phase(DeviceClient& device, Host& host);

// Prints a report in the form that was asked for.
void print(const Arguments& arguments, Host& host, const Report& report);

// Tells on standard error what is no failure, in the form that was asked for: {"warning": text}.
void warn(const Arguments& arguments, Host& host, const std::string& text);

// The exit status that a verb which failed so ends with.
int exit_status_of(Verb verb, const Error& error);

}  // namespace vtpm::verb
