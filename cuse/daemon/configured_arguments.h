// vtpmd's arguments together with those that an instance's configuration file gives.
//
// --config FILE names the file; --name NAME means /etc/vtpm/NAME.toml, and state in
// /var/lib/vtpm/NAME unless something else is said. What the command line says wins.
// Threads: a plain function.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ctl/config/instance.h"
#include "engine/base/result.h"

namespace vtpm {

using Words = std::vector<std::string>;

// `is_option` tells whether vtpmd has an option of that long name ("buffer-size").
// Errors: those of read_settings() and check_instance_name(); invalid for a key that is no option,
// or one that only a command line can have.
Result<Words> with_configuration(const Words& command_line, const InstancePaths& paths,
                                 const std::function<bool(const std::string& key)>& is_option);

}  // namespace vtpm
