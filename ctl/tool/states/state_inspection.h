// What can be said of a state without its key, its lock or a daemon; nothing is written.
//
// Threads: plain functions. Errors: not_found when there is no state; invalid when it is something
// else; io when it cannot be read. Damage is no error, it is part of what is said.
#pragma once

#include <string>
#include <vector>

#include "ctl/tool/report/report.h"
#include "ctl/tool/states/state_locations.h"

namespace vtpm {

struct StateInspection {
  Report whole;               // the place: format, seal, size
  std::vector<Report> blobs;  // one for each blob that is there, or should be
  // The blobs for people, with a headline.
  std::vector<std::vector<std::string>> rows;
  // Of a file:
  bool sealed = false;
  uint32_t writer = 0;    // the latest libtpms, as in Slot; 0: not known
  std::string key_epoch;  // another one after each change of its key
};

Result<StateInspection> inspect_state(const Location& location);

}  // namespace vtpm
