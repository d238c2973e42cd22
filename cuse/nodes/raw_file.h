// One open file of the raw node.
//
// At most one command of a file runs at a time. Requests that arrive meanwhile and depend on its
// outcome (read, write, release) are kept in the order of arrival and go on when it ends, as if
// they had waited for the kernel driver's buffer mutex; no thread waits. poll() does not wait:
// while a command runs neither reading nor writing is possible, so it says neither and wakes the
// poller at the end.
//
// Ownership: shared between the session (until release) and the queued command that needs it.
// Threads: any; one lock, held briefly, taken before the session's and never while the TPM runs.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "cuse/nodes/controlled_file.h"
#include "cuse/nodes/raw_node.h"
#include "cuse/nodes/response_buffer.h"
#include "engine/base/mutex.h"
#include "engine/base/task.h"

namespace vtpm {

class RawFile final : public ControlledFile, public std::enable_shared_from_this<RawFile> {
 public:
  // Closing it frees the node for the next opener, and may be the power switch.
  RawFile(RawNode& node, Privilege privilege)
      : ControlledFile(node.parts_.control, privilege), node_(node) {}

  void read(size_t size, ReadReply reply) override;
  void write(ByteView data, bool nonblocking, WriteReply reply) override;
  void poll(PollRequest request, PollReply reply) override;
  void release(ReleaseReply reply) override;

 private:
  void park(Task request) VTPM_REQUIRES(mutex_) { parked_.push_back(std::move(request)); }
  void run_parked();
  // Requests that waited go on at this moment: who comes now comes after them.
  [[nodiscard]] bool others_come_first() const VTPM_REQUIRES(mutex_) {
    return going_on_ || !parked_.empty();
  }
  void read_in_turn(size_t size, ReadReply reply);
  void write_in_turn(ByteView data, bool nonblocking, WriteReply reply);
  void park_write(ByteView data, bool nonblocking, WriteReply reply) VTPM_REQUIRES(mutex_);
  [[nodiscard]] int refusal(ByteView data) const VTPM_REQUIRES(mutex_);
  void start_command(Bytes command, size_t written, bool nonblocking, WriteReply reply);
  void keep_response(Bytes response);
  void free_slot();
  void expire();
  void arm_timeout() VTPM_REQUIRES(mutex_);
  void set_alarm() VTPM_REQUIRES(mutex_);
  void wake_pollers() VTPM_REQUIRES(mutex_);
  [[nodiscard]] unsigned poll_mask() const VTPM_REQUIRES(mutex_);

  RawNode& node_;

  Mutex mutex_;
  bool running_ VTPM_GUARDED_BY(mutex_) = false;
  bool going_on_ VTPM_GUARDED_BY(mutex_) = false;
  std::deque<Task> parked_ VTPM_GUARDED_BY(mutex_);
  ResponseBuffer response_ VTPM_GUARDED_BY(mutex_);
  PollWaker waker_ VTPM_GUARDED_BY(mutex_);
  unsigned awaited_events_ VTPM_GUARDED_BY(mutex_) = 0;  // asked for and not yet true
  AlarmClock::Time expiry_ VTPM_GUARDED_BY(mutex_);
  std::optional<AlarmClock::Alarm> alarm_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
