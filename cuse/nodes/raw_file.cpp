#include "cuse/nodes/raw_file.h"

#include <poll.h>

#include <cerrno>

#include "engine/command/codec.h"
#include "engine/command/command_traits.h"

namespace vtpm {
namespace {

// The kernel's driver looks at no more than the declared size before it hands a command on.
constexpr size_t kShortestWrite = 6;

constexpr unsigned kReadable = POLLIN | POLLRDNORM;
constexpr unsigned kWritable = POLLOUT | POLLWRNORM;

}  // namespace

void RawFile::read(size_t size, ReadReply reply) {
  if (read_blob(size, reply)) {
    return;
  }
  {
    MutexLock lock(mutex_);
    if (others_come_first()) {
      park([self = shared_from_this(), size, reply = std::move(reply)]() mutable {
        self->read_in_turn(size, std::move(reply));
      });
      return;
    }
  }
  read_in_turn(size, std::move(reply));
}

void RawFile::read_in_turn(size_t size, ReadReply reply) {
  Bytes data;
  {
    MutexLock lock(mutex_);
    if (running_) {
      park([self = shared_from_this(), size, reply = std::move(reply)]() mutable {
        self->read_in_turn(size, std::move(reply));
      });
      return;
    }
    data = response_.take(size);
    if ((awaited_events_ & poll_mask()) != 0) {
      wake_pollers();
    }
  }
  reply.data(data);
}

void RawFile::write(ByteView data, bool nonblocking, WriteReply reply) {
  if (write_blob(data, reply)) {
    return;
  }
  if (data.size() > kMaxMessage) {
    reply.error(E2BIG);
    return;
  }
  {
    MutexLock lock(mutex_);
    if (others_come_first()) {
      park_write(data, nonblocking, std::move(reply));
      return;
    }
  }
  write_in_turn(data, nonblocking, std::move(reply));
}

void RawFile::park_write(ByteView data, bool nonblocking, WriteReply reply) {
  park([self = shared_from_this(), kept = Bytes(data.begin(), data.end()), nonblocking,
        reply = std::move(reply)]() mutable {
    self->write_in_turn(kept, nonblocking, std::move(reply));
  });
}

void RawFile::write_in_turn(ByteView data, bool nonblocking, WriteReply reply) {
  {
    MutexLock lock(mutex_);
    if (running_) {
      park_write(data, nonblocking, std::move(reply));
      return;
    }
    if (int error = refusal(data); error != 0) {
      reply.error(error);
      return;
    }
    response_.discard();  // the tail of a response that was read in part
    running_ = true;
  }
  ByteView command = data.first(Command(data).declared_size());
  start_command({command.begin(), command.end()}, data.size(), nonblocking, std::move(reply));
}

// Nothing (0) when the data is a command that may run now.
int RawFile::refusal(ByteView data) const {
  if (response_.unread()) {
    return EBUSY;
  }
  if (data.size() < kShortestWrite || data.size() < Command(data).declared_size()) {
    return EINVAL;
  }
  return Command(data).declared_size() == 0 ? ENODATA : 0;
}

void RawFile::start_command(Bytes command, size_t written, bool nonblocking, WriteReply reply) {
  VirtualTpm& tpm = node_.parts_.tpm;
  auto pending = tpm.accept();  // a cancel that comes after the writer's answer means this command
  // A non-blocking writer waits for nothing long: it is answered first and woken at the end.
  if (nonblocking &&
      (tpm.busy_for_long() || is_long_running(tpm.version(), Command(command).code()))) {
    reply.written(written);
  }
  node_.parts_.queue.run([self = shared_from_this(), &tpm, pending = std::move(pending),
                          command = std::move(command), written,
                          reply = std::move(reply)]() mutable {
    self->keep_response(tpm.execute(std::move(pending), command));
    reply.written(written);  // does nothing for one that was answered first
    self->run_parked();
  });
}

void RawFile::keep_response(Bytes response) {
  MutexLock lock(mutex_);
  running_ = false;
  response_.put(std::move(response));
  arm_timeout();
  wake_pollers();
}

void RawFile::run_parked() {
  for (;;) {
    Task next;
    {
      MutexLock lock(mutex_);
      going_on_ = !running_ && !parked_.empty();
      if (!going_on_) {
        return;
      }
      next = std::move(parked_.front());
      parked_.pop_front();
    }
    next();
  }
}

void RawFile::poll(PollRequest request, PollReply reply) {
  unsigned mask = 0;
  {
    MutexLock lock(mutex_);
    // Kept before the state is looked at, so that no change in between goes unnoticed.
    if (request.waker) {
      waker_ = std::move(request.waker);
    }
    mask = poll_mask();
    if ((mask & request.events) == 0) {
      awaited_events_ |= request.events;
    }
  }
  reply.events(mask);
}

unsigned RawFile::poll_mask() const {
  if (running_) {
    return 0;
  }
  return response_.pending() ? kReadable : kWritable;
}

// A waker stays: an edge-triggered epoll asks once and then counts on being woken every time.
void RawFile::wake_pollers() {
  awaited_events_ = 0;
  waker_.wake();
}

// One alarm per file is enough: when it comes too early for the present response it is set again.
void RawFile::arm_timeout() {
  expiry_ = node_.parts_.clock.now() + kResponseTimeout;
  if (!alarm_) {
    set_alarm();
  }
}

void RawFile::set_alarm() {
  alarm_ = node_.parts_.clock.call_at(expiry_, [weak = weak_from_this()] {
    if (auto self = weak.lock()) {
      self->expire();
    }
  });
}

void RawFile::expire() {
  MutexLock lock(mutex_);
  alarm_.reset();
  if (!response_.pending()) {
    return;
  }
  if (node_.parts_.clock.now() < expiry_) {
    set_alarm();
    return;
  }
  response_.discard();
  wake_pollers();
}

void RawFile::release(ReleaseReply reply) {
  {
    MutexLock lock(mutex_);
    if (running_) {
      park([self = shared_from_this(), reply = std::move(reply)]() mutable {
        self->release(std::move(reply));
      });
      return;
    }
    response_.discard();
    if (alarm_) {
      node_.parts_.clock.cancel(*alarm_);
    }
  }
  if (node_.parts_.power == PowerSwitch::at_open) {
    node_.parts_.queue.run([self = shared_from_this(), reply = std::move(reply)]() mutable {
      self->node_.parts_.tpm.power_off();
      self->free_slot();
      reply.done();
    });
    return;
  }
  free_slot();
  reply.done();
}

// Before the close is answered: clients close and open again at once, and must not find it busy.
// The locality that it was used with goes with it: the next opener may have no right to it.
void RawFile::free_slot() {
  node_.parts_.tpm.set_locality(Locality{0});
  node_.taken_ = false;
}

}  // namespace vtpm
