// Virtual TPMs as they are looked at: each asked by its device where it has one, else told from
// what the host keeps of it. The services are asked once for all.
//
// Threads: plain functions. Errors: of each TPM its own; one that cannot be asked hides no other.
#pragma once

#include <string>
#include <vector>

#include "ctl/tool/cli/tpm_view.h"
#include "ctl/tool/services/host.h"

namespace vtpm {

struct Seen {
  std::string asked;   // as the user called it, or the device
  std::string device;  // "vtpm0"; empty: not known
  std::string name;    // of the instance; empty: none
  Result<TpmView> view;
};

// All of this host: those with a device in the order of the devices, then instances that do not
// run.
std::vector<Seen> look_at_all(Host& host);

// Those that are called so: devices, paths, names of instances or VMs.
std::vector<Seen> look_at(const Names& names, Host& host);

// "not answering", or "unknown": of one that could not be asked.
std::string phase_words(const Error& failed);

// One object for each, those that could not be asked among them.
Report report_of(const Seen& seen, const Host& host);

// Names those that could not be asked.
Result<void> told_of_failures(const std::vector<Seen>& all);

}  // namespace vtpm
