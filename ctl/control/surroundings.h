// What control requests ask of the daemon around the TPM, and tell it. The daemon implements it, so
// that ctl/ needs to know nothing of nodes, processes and logs.
//
// Ownership: borrowed by the ControlContext; outlives every request. Threads: any, also while the
// caller is being answered; no call may wait for the TPM.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

namespace vtpm {

// The process that opened the raw node last; 0: nobody yet.
struct RawNodeOpener {
  pid_t process = 0;
  std::string name;
};

// The last time that the storage did not take what a command changed.
struct StorageFailure {
  std::string reason;
  std::chrono::seconds age;
  bool lasts = false;  // nothing was stored since
};

class Surroundings {
 public:
  Surroundings() = default;
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;
  virtual ~Surroundings() = default;

  // The daemon is to end once the present request is answered.
  virtual void end_daemon() = 0;
  // Another kind of TPM is behind the node now.
  virtual void announce_version_change() = 0;

  [[nodiscard]] virtual bool raw_node_in_use() const = 0;
  [[nodiscard]] virtual RawNodeOpener raw_node_opener() const = 0;
  // Since the daemon began.
  [[nodiscard]] virtual std::chrono::seconds uptime() const = 0;
  // Nothing when it never failed.
  [[nodiscard]] virtual std::optional<StorageFailure> storage_failure() const = 0;
};

}  // namespace vtpm
