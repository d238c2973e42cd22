// The names of what GET_CAPABILITY answers, which are those of <vtpm/ioctl.h> without VTPM_CAP_.
//
// Threads: a plain function.
#pragma once

#include <vtpm/ioctl.h>

#include <string>
#include <vector>

namespace vtpm {

// In the order of their bits. A bit that the ABI of this build does not know is told by its number:
// "bit 40".
std::vector<std::string> capability_names(vtpm_capability mask);

}  // namespace vtpm
