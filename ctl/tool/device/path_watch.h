// Waiting for a path to appear, told by the kernel (inotify(7)) rather than by looking again and
// again.
//
// Threads: plain functions.
#pragma once

#include <chrono>
#include <string>

namespace vtpm {

// Whether something is there, links followed, at the deadline at the latest. The directories above
// it need not be there yet.
bool wait_for_path(const std::string& path, std::chrono::steady_clock::time_point deadline);

}  // namespace vtpm
