// Opens a path whose symbolic links nobody else could have put there.
//
// Root works in directories of others. A link of theirs would lead it to what they may not read or
// write themselves. So a link, wherever it stands in the path, is followed only where it and the
// directory that holds it belong to root or to the effective user: root's links to disks in /dev
// are, those of other users are not. The kernel does less (fs.protected_symlinks), and only in
// directories with the sticky bit.
//
// Threads: plain functions. Source: openat(2), path_resolution(7).
#pragma once

#include <sys/types.h>

#include <string>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"

namespace vtpm {

struct TrustedFile {
  FileDescriptor fd;
  bool by_link = false;  // the last name of the path was a link
};

// As openat with these flags and O_CLOEXEC; with O_NOFOLLOW, a link as the last name is not
// followed, whosever it is. A descriptor's path (descriptor_of_path), and what is below it, begins
// at that descriptor. Errors: invalid, naming the link that is not followed, with errno ELOOP;
// otherwise of the system, with its errno.
Result<TrustedFile> open_trusted(const std::string& path, int flags, mode_t mode = 0);

}  // namespace vtpm
