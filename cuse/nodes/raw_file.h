// One open file of the raw node.
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
// borrows its parts, which outlive it, and holds the node's only slot until it is released.
// Threads: any; one lock, held briefly, taken before the transport's and never while the TPM runs.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <variant>

#include "cuse/nodes/controlled_file.h"
#include "cuse/nodes/opener_slot.h"
#include "cuse/nodes/response_buffer.h"
#include "engine/base/alarm_clock.h"
#include "engine/base/mutex.h"
#include "engine/base/strand.h"
#include "engine/command/command.h"
#include "engine/tpm/virtual_tpm.h"

namespace vtpm {

// How long an unread response is kept, as in the kernel's driver.
inline constexpr std::chrono::seconds kResponseTimeout{120};

// Whether the raw node's opener is the TPM's power switch: on (not started) with open, off in order
// with close.
enum class PowerSwitch { independent, at_open };

struct RawFileParts {
  VirtualTpm& tpm;
  Strand& strand;
  IoctlControl& control;
  AlarmClock& clock;
  PowerSwitch power;
};

class RawFile final : public ControlledFile, public std::enable_shared_from_this<RawFile> {
 public:
  // Closing it gives `hold` back for the next opener, and may be the power switch.
  RawFile(const RawFileParts& parts, OpenerSlot::Hold hold, OpenFileState state)
      : ControlledFile(parts.control, std::move(state.opening), std::move(state.transfer)),
        parts_(parts),
        hold_(std::move(hold)),
        response_(std::move(state.response)),
        expiry_(parts.clock.now() + state.response_left) {}
  // For one that was made with a response; once.
  void resume_timeout();

  void read(size_t size, ReadReply reply) override;
  void write(ByteView data, bool nonblocking, WriteReply reply) override;
  void poll(PollRequest request, PollReply reply) override;
  void release(ReleaseReply reply) override;

  [[nodiscard]] OpenFileState state() const override;

 private:
  struct RunningCommand;
  struct Closing;

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
  void free_slot() noexcept;
  void expire();
  void set_timeout() noexcept VTPM_REQUIRES(mutex_);
  void set_alarm() VTPM_REQUIRES(mutex_);
  void wake_pollers() VTPM_REQUIRES(mutex_);
  [[nodiscard]] unsigned poll_mask() const VTPM_REQUIRES(mutex_);

  const RawFileParts parts_;
  std::optional<OpenerSlot::Hold> hold_;  // until release

  mutable Mutex mutex_;
  ResponseBuffer response_ VTPM_GUARDED_BY(mutex_);
  AlarmClock::Time expiry_ VTPM_GUARDED_BY(mutex_);  // of the response
  Outstanding outstanding_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
