// A file that appears under its name as a whole: written without a name, made durable, then linked,
// or renamed over what it replaces. Whatever ends this process in between, nothing is left behind.
//
// The directory may belong to somebody who renames and links in it meanwhile. So it is opened once,
// every name is looked up in what was opened then, and what was written is never opened by a name:
// its path is that of the descriptor.
//
// A file system without unnamed files (FAT, some of the network) has a .FILE.vtpm-partial instead,
// which the next one who writes FILE removes if its writer was killed.
//
// Ownership: owns its descriptors. Threads: one at a time; signals that end a process are held for
// the moment in which the name is given. Errors: of the system. Source: open(2) O_TMPFILE.
#pragma once

#include <sys/types.h>

#include <string>

#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"

namespace vtpm {

// Whatever is there, a link that leads nowhere included.
bool is_there(const std::string& path);

// "/proc/self/fd/7"
std::string path_of(const FileDescriptor& fd);

// `found` in the message, a path of a descriptor, becomes what people call it.
Error called(Error error, const std::string& found, const std::string& name);

// A name in a directory that was opened.
class FilePlace {
 public:
  static Result<FilePlace> open(const std::string& path);

  [[nodiscard]] int directory() const { return directory_.get(); }
  [[nodiscard]] const std::string& name() const { return name_; }
  // Through the descriptor: leads into the same directory whatever it is called now.
  [[nodiscard]] std::string path() const { return path_of(directory_) + "/" + name_; }

 private:
  FilePlace(FileDescriptor directory, std::string name)
      : directory_(std::move(directory)), name_(std::move(name)) {}

  FileDescriptor directory_;
  std::string name_;
};

struct FileOwner {
  uid_t user;
  gid_t group;
};

class FileBeside {
 public:
  // Made with mode 0600; false as a condition, with errno, when it could not be made. Borrows the
  // place.
  explicit FileBeside(const FilePlace& place);
  FileBeside(const FileBeside&) = delete;
  FileBeside& operator=(const FileBeside&) = delete;
  ~FileBeside();

  explicit operator bool() const { return static_cast<bool>(fd_); }
  // Of the descriptor, for as long as this lives.
  [[nodiscard]] std::string path() const { return path_of(fd_); }
  [[nodiscard]] int fd() const { return fd_.get(); }

  // Before anything is written. False, with errno, when that is not possible.
  bool give_to(const FileOwner& owner);
  enum class Over { nothing, anything };
  // Gets the place's name: where nothing is, or in place of what is there. False, with errno:
  // EEXIST when there is something, ESTALE when somebody put another file there meanwhile.
  bool become(Over over);
  // After a failure: the name beside it that something has which cannot be removed here (a link, a
  // directory, a file in use); otherwise empty.
  [[nodiscard]] std::string in_the_way() const { return partial_is_taken_ ? partial_ : ""; }

 private:
  bool make_named();
  bool link_as(const std::string& name);
  bool give_name(Over over);
  [[nodiscard]] bool has_its_name() const;

  const FilePlace& place_;
  const std::string partial_;
  FileDescriptor fd_;
  bool partial_is_there_ = false;
  bool partial_is_taken_ = false;
};

// What is told of one that could not be made or given its name, by errno: `what`, the path, and
// what is in the way.
tl::unexpected<Error> cannot_write_beside(const FileBeside& beside, const std::string& what,
                                          const std::string& path);

}  // namespace vtpm
