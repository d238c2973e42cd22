// An open file that takes one command by write(), gives its response by read(), and tells by poll()
// which of the two is next. How the command reaches the TPM, and what else ends with the file, is
// the node's own (RawFile, ManagedFile).
//
// At most one command of a file runs at a time. Requests that arrive meanwhile and depend on its
// outcome (read, write, release) are kept in the order of arrival and go on when it ends, as if
// they had waited for the kernel driver's buffer mutex; no thread waits. poll() does not wait:
// while a command runs neither reading nor writing is possible, so it says neither and wakes the
// poller at the end.
//
// However a command ends, also by an exception or by being dropped, the file is not busy with it
// any more; a writer that was answered first then finds the TPM's failure response.
//
// Ownership: shared between the session (until release) and the queued command that needs it;
// borrows its parts, which outlive it.
// Threads: any; one lock, held briefly, taken before the transport's and never while the TPM runs.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <variant>

#include "cuse/nodes/controlled_file.h"
#include "cuse/nodes/response_buffer.h"
#include "engine/base/alarm_clock.h"
#include "engine/base/mutex.h"
#include "engine/base/strand.h"
#include "engine/command/command.h"
#include "engine/tpm/virtual_tpm.h"

namespace vtpm {

// How long an unread response is kept, as in the kernel's driver.
inline constexpr std::chrono::seconds kResponseTimeout{120};

struct CommandFileParts {
  VirtualTpm& tpm;
  Strand& strand;
  IoctlControl& control;
  AlarmClock& clock;
};

class CommandFile : public ControlledFile, public std::enable_shared_from_this<CommandFile> {
 public:
  CommandFile(const CommandFileParts& parts, OpenFileState state)
      : ControlledFile(parts.control, std::move(state.opening), std::move(state.transfer)),
        parts_(parts),
        response_(std::move(state.response)),
        expiry_(parts.clock.now() + state.response_left) {}
  // For one that was made with a response; once.
  void resume_timeout();

  void read(size_t size, ReadReply reply) override;
  void write(ByteView data, bool nonblocking, WriteReply reply) override;
  void poll(PollRequest request, PollReply reply) override;
  void release(ReleaseReply reply) final;

  [[nodiscard]] OpenFileState state() const override;

 protected:
  // A release that is under way. When it is gone the file is closed: what the node gave is given
  // back, whatever failed in between, and then the release is answered.
  struct Closing {
    Closing(std::shared_ptr<CommandFile> of, ReleaseReply to)
        : file(std::move(of)), reply(std::move(to)) {}
    Closing(Closing&&) = default;
    Closing& operator=(Closing&&) = delete;
    ~Closing() {
      if (file) {
        file->give_back();
        reply.done();
      }
    }

    std::shared_ptr<CommandFile> file;
    ReleaseReply reply;
  };

  // On the strand.
  virtual Bytes execute(const VirtualTpm::Pending& pending, ByteView command) = 0;
  // What write() fails with in place of that response; 0: nothing.
  virtual int error_for(ByteView /*command*/, ByteView /*response*/) const { return 0; }
  // All requests have ended; what is left to do may be done on the strand.
  virtual void close_in_order(Closing closing) = 0;
  virtual void give_back() noexcept {}

  [[nodiscard]] const CommandFileParts& parts() const { return parts_; }

 private:
  struct RunningCommand;

  // Requests that wait for the end of the command that runs.
  struct ParkedRead {
    size_t size;
    ReadReply reply;
  };
  struct ParkedWrite {
    Bytes data;
    bool nonblocking;
    WriteReply reply;
  };
  using Parked = std::variant<ParkedRead, ParkedWrite>;

  // All that is under way on the file, and ends with this process.
  struct Outstanding {
    bool running = false;   // a command of this file
    bool going_on = false;  // requests that waited go on at this moment
    std::deque<Parked> parked;
    std::optional<ReleaseReply> closing;  // comes after all others
    PollWaker waker;
    unsigned awaited_events = 0;  // asked for and not yet true
    std::optional<AlarmClock::Alarm> alarm;

    // A request that comes now comes after them.
    [[nodiscard]] bool others_come_first() const { return going_on || !parked.empty(); }
    [[nodiscard]] bool full() const { return parked.size() >= Lane::kMostWaiting; }
  };

  void read_in_turn(size_t size, ReadReply& reply);
  void write_in_turn(ByteView data, bool nonblocking, WriteReply& reply);
  void park_read(size_t size, ReadReply& reply) VTPM_REQUIRES(mutex_);
  void park_write(ByteView data, bool nonblocking, WriteReply& reply) VTPM_REQUIRES(mutex_);
  [[nodiscard]] int refusal(const Command& command) const VTPM_REQUIRES(mutex_);
  void start_command(RunningCommand& running, const Command& command, bool nonblocking);
  void end_command(Bytes response) noexcept;
  bool run_next_parked();
  void run_parked() noexcept;
  void go_on(ParkedRead& request);
  void go_on(ParkedWrite& request);
  void close(ReleaseReply reply);
  void expire();
  void set_timeout() noexcept VTPM_REQUIRES(mutex_);
  void set_alarm() VTPM_REQUIRES(mutex_);
  void wake_pollers() VTPM_REQUIRES(mutex_);
  [[nodiscard]] unsigned poll_mask() const VTPM_REQUIRES(mutex_);

  const CommandFileParts parts_;

  mutable Mutex mutex_;
  ResponseBuffer response_ VTPM_GUARDED_BY(mutex_);
  AlarmClock::Time expiry_ VTPM_GUARDED_BY(mutex_);  // of the response
  Outstanding outstanding_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
