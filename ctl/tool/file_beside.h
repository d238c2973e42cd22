// A file of a name of its own beside the one that it is to replace: written there, made durable,
// and renamed over it, so that the old or the new one is there at any moment.
//
// Ownership: removed with this object unless it became its target. Threads: one at a time.
#pragma once

#include <string>

#include "engine/file_descriptor.h"

namespace vtpm {

// Whatever is there, a link that leads nowhere included.
bool is_there(const std::string& path);

class FileBeside {
 public:
  // Made with mode 0600; false as a condition, with errno, when it could not be made.
  explicit FileBeside(const std::string& target);
  FileBeside(const FileBeside&) = delete;
  FileBeside& operator=(const FileBeside&) = delete;
  ~FileBeside();

  explicit operator bool() const { return static_cast<bool>(fd_); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

  // Who owns the target owns what takes its place. False, with errno, when that is not possible.
  bool give_to_owner_of(const std::string& target);
  // False, with errno, when it cannot be renamed.
  bool become(const std::string& target);

 private:
  std::string path_;
  FileDescriptor fd_;
  bool renamed_ = false;
};

}  // namespace vtpm
