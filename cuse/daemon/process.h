// The daemon as a process: the background, its pid file, its end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cuse/sandbox/privileges.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"

namespace vtpm {

// No core dumps and no tracing by others of the same user: keys and authorisation values are in
// memory. No SIGPIPE, no SIGXFSZ: what fails says so.
void harden_process();

// In the parent: waits for the child and ends the process with its verdict. In the child: returns
// what the verdict is given by. Before any thread, lock or device.
class Background {
 public:
  // Errors: io when the system cannot fork.
  static Result<Background> enter();
  Background(Background&&) noexcept = default;
  Background& operator=(Background&&) noexcept = default;
  // The end of the process tells the parent of a failure: what is said last is said before.
  ~Background() { verdict_.release(); }

  // The parent's status says which. Leaves the terminal. Only once.
  enum class Verdict : char {
    ready = 'r',       // 0
    tpm_failed = 'f',  // 3: its node is there, and the TPM cannot be used
  };
  void announce(Verdict verdict);

  [[nodiscard]] std::vector<int> descriptors() const { return {verdict_.get(), null_.get()}; }

 private:
  Background(FileDescriptor verdict, FileDescriptor null)
      : verdict_(std::move(verdict)), null_(std::move(null)) {}
  // A Verdict; closed without a word when the child ends: the parent ends with 1.
  FileDescriptor verdict_;
  FileDescriptor null_;  // /dev/null, which cannot be opened any more when it is needed
};

// Made while its directory can be written, filled when the TPM answers, removed when destroyed; or
// emptied, when nothing in its directory may be removed any more (sandbox.h).
class PidFile {
 public:
  // Belongs to `owner`, if there is one: who can write it is who it tells of. Refuses what is no
  // regular file with one name.
  static Result<PidFile> create(const std::string& path, const std::optional<RunAs>& owner);
  PidFile(PidFile&&) noexcept = default;
  PidFile& operator=(PidFile&&) = delete;
  ~PidFile();

  // This process's number.
  Result<void> fill();

 private:
  PidFile(std::string path, FileDescriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  std::string path_;
  FileDescriptor file_;
};

enum class EndReason {
  signal,        // SIGTERM, SIGINT or SIGHUP
  requested,     // by a control request
  channel_lost,  // the kernel closed the CUSE channel
};

// Waits for the end of the daemon. Made before the first thread, so that all inherit its signal
// mask. A signal that was ignored when the process started stays ignored.
class Lifetime {
 public:
  static Result<Lifetime> begin();

  // From any thread.
  void request_end(EndReason reason) const;
  // Once, in the main thread.
  [[nodiscard]] EndReason wait() const;

  [[nodiscard]] std::vector<int> descriptors() const { return {signals_.get(), requests_.get()}; }

 private:
  Lifetime(FileDescriptor signals, FileDescriptor requests)
      : signals_(std::move(signals)), requests_(std::move(requests)) {}
  FileDescriptor signals_;
  FileDescriptor requests_;
};

}  // namespace vtpm
