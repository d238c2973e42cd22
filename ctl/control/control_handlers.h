// What each control request does. Declared for the table (control_table.cpp) alone.
//
// A handler gets its request's structure, zeroed where the caller gave nothing, and returns the
// response: every byte of it initialised, or the result code alone when it refuses.
#pragma once

#include <vtpm/ioctl.h>

#include "ctl/control/control_table.h"

namespace vtpm::handlers {

ControlOutcome get_capability(ControlCall& call, const vtpm_capability& none);
ControlOutcome init(ControlCall& call, const vtpm_init& request);
ControlOutcome shutdown(ControlCall& call, const vtpm_result& none);
ControlOutcome get_established(ControlCall& call, const vtpm_established& none);
ControlOutcome set_locality(ControlCall& call, const vtpm_locality& request);
ControlOutcome hash_start(ControlCall& call, const vtpm_result& none);
ControlOutcome hash_data(ControlCall& call, const vtpm_hash_data& request);
ControlOutcome hash_end(ControlCall& call, const vtpm_result& none);
ControlOutcome cancel(ControlCall& call, const vtpm_result& none);
ControlOutcome store_volatile(ControlCall& call, const vtpm_result& none);
ControlOutcome reset_established(ControlCall& call, const vtpm_locality& request);
ControlOutcome get_stateblob(ControlCall& call, const vtpm_get_state& request);
ControlOutcome set_stateblob(ControlCall& call, const vtpm_set_state& request);
ControlOutcome stop(ControlCall& call, const vtpm_result& none);
ControlOutcome get_config(ControlCall& call, const vtpm_config& none);
ControlOutcome set_buffersize(ControlCall& call, const vtpm_buffersize& request);
ControlOutcome get_info(ControlCall& call, const vtpm_info& request);
ControlOutcome lock_storage(ControlCall& call, const vtpm_lock_storage& request);
ControlOutcome execute(ControlCall& call, const vtpm_execute& request);
ControlOutcome get_status(ControlCall& call, const vtpm_status& none);
ControlOutcome get_details(ControlCall& call, const vtpm_details& none);
ControlOutcome set_version(ControlCall& call, const vtpm_version& request);

}  // namespace vtpm::handlers
