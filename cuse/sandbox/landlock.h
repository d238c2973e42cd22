// The part of the file system that the daemon can reach, by Landlock.
//
// Threads: before the first one; it holds for the calling thread and all it starts. What is open
// already stays usable. Source: Documentation/userspace-api/landlock.rst of the kernel.
#pragma once

#include <string>

#include "engine/base/result.h"

namespace vtpm {

enum class FilesRestricted { yes, not_in_this_kernel };

// From now on: the file `state`, or the files below it, can be read, written, made and removed;
// /proc (groups of openers) and /dev/urandom can be read; nothing else can be opened. Where the
// kernel knows more kinds of access (devices' ioctls, TCP, signals to others), those are taken away
// as well. Needs no_new_privs. Errors: of the system, with the step.
Result<FilesRestricted> restrict_files(const std::string& state);

}  // namespace vtpm
