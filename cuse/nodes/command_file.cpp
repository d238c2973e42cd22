#include "cuse/nodes/command_file.h"

#include <poll.h>

#include <cerrno>
#include <utility>

#include "engine/command/codec.h"
#include "engine/command/command_traits.h"

namespace vtpm {
namespace {

// The kernel's driver looks at no more than the declared size before it hands a command on.
constexpr size_t kShortestWrite = 6;

constexpr unsigned kReadable = POLLIN | POLLRDNORM;
constexpr unsigned kWritable = POLLOUT | POLLWRNORM;

// Empty when there is no memory for that much.
Bytes failure_response_of(const VirtualTpm& tpm) noexcept {
  try {
    return failure_response(tpm.version());
  } catch (...) {
    return {};
  }
}

}  // namespace

// The command that its file is busy with, until this is gone.
struct CommandFile::RunningCommand {
  RunningCommand(std::shared_ptr<CommandFile> of, size_t size, WriteReply to)
      : file(std::move(of)), written(size), reply(std::move(to)) {}
  RunningCommand(RunningCommand&&) = default;
  RunningCommand& operator=(RunningCommand&&) = delete;
  ~RunningCommand() {
    if (file) {
      end(answered_first ? failure_response_of(file->parts_.tpm) : Bytes());
    }
  }

  void answer_first() {
    reply.written(written);
    answered_first = true;
  }

  // On the strand.
  void operator()() {
    Bytes response;
    try {
      response = file->execute(pending, command);
    } catch (...) {
      reply.error(ENOMEM);
      throw;
    }
    if (int error = answered_first ? 0 : file->error_for(command, response); error != 0) {
      reply.error(error);
      response.clear();
    }
    end(std::move(response));
  }

  // The writer is answered between: who was woken may write again at once, and comes after those
  // that waited.
  void end(Bytes response) noexcept {
    auto ended = std::move(file);
    bool executed = !response.empty();
    ended->end_command(std::move(response));
    if (executed) {
      reply.written(written);  // does nothing for one that was answered first
    } else {
      WriteReply dropped = std::move(reply);
    }
    ended->run_parked();
  }

  std::shared_ptr<CommandFile> file;
  size_t written;
  WriteReply reply;
  bool answered_first = false;
  VirtualTpm::Pending pending;
  Bytes command;
};

void CommandFile::read(size_t size, ReadReply reply) {
  if (read_blob(size, reply)) {
    return;
  }
  {
    MutexLock lock(mutex_);
    if (outstanding_.others_come_first()) {
      park_read(size, reply);
      return;
    }
  }
  read_in_turn(size, reply);
}

void CommandFile::read_in_turn(size_t size, ReadReply& reply) {
  Bytes data;
  {
    MutexLock lock(mutex_);
    if (outstanding_.running) {
      park_read(size, reply);
      return;
    }
    data = response_.take(size);
    if ((outstanding_.awaited_events & poll_mask()) != 0) {
      wake_pollers();
    }
  }
  reply.data(data);
  wipe(data);
}

void CommandFile::write(ByteView data, bool nonblocking, WriteReply reply) {
  if (write_blob(data, reply)) {
    return;
  }
  if (data.size() > kMaxMessage) {
    reply.error(E2BIG);
    return;
  }
  {
    MutexLock lock(mutex_);
    if (outstanding_.others_come_first()) {
      park_write(data, nonblocking, reply);
      return;
    }
  }
  write_in_turn(data, nonblocking, reply);
}

void CommandFile::park_read(size_t size, ReadReply& reply) {
  if (outstanding_.full()) {
    reply.error(EBUSY);
    return;
  }
  outstanding_.parked.emplace_back(ParkedRead{size, std::move(reply)});
}

void CommandFile::park_write(ByteView data, bool nonblocking, WriteReply& reply) {
  if (outstanding_.full()) {
    reply.error(EBUSY);
    return;
  }
  outstanding_.parked.emplace_back(
      ParkedWrite{{data.begin(), data.end()}, nonblocking, std::move(reply)});
}

void CommandFile::write_in_turn(ByteView data, bool nonblocking, WriteReply& reply) {
  Command command(data);
  {
    MutexLock lock(mutex_);
    if (outstanding_.running) {
      park_write(data, nonblocking, reply);
      return;
    }
    if (int error = refusal(command); error != 0) {
      reply.error(error);
      return;
    }
    response_.discard();  // the tail of a response that was read in part
    outstanding_.running = true;
  }
  RunningCommand running(shared_from_this(), data.size(), std::move(reply));
  start_command(running, command, nonblocking);
}

// 0 for one that may run now.
int CommandFile::refusal(const Command& command) const {
  if (response_.unread()) {
    return EBUSY;
  }
  size_t size = command.bytes().size();
  if (size < kShortestWrite || size < command.declared_size()) {
    return EINVAL;
  }
  return command.declared_size() == 0 ? ENODATA : 0;
}

void CommandFile::start_command(RunningCommand& running, const Command& command, bool nonblocking) {
  VirtualTpm& tpm = parts_.tpm;
  ByteView bytes = command.bytes().first(command.declared_size());  // what is behind is ignored
  running.command.assign(bytes.begin(), bytes.end());
  running.pending = tpm.accept();  // a cancel after the writer's answer means this command
  // A non-blocking writer waits for nothing long: it is answered first and woken at the end.
  if (nonblocking && (tpm.busy_for_long() || is_long_running(tpm.version(), command.code()))) {
    running.answer_first();
  }
  lane().run(std::move(running));
}

void CommandFile::end_command(Bytes response) noexcept {
  MutexLock lock(mutex_);
  outstanding_.running = false;
  if (!response.empty()) {
    response_.put(std::move(response));
    expiry_ = parts_.clock.now() + kResponseTimeout;
    set_timeout();
  }
  wake_pollers();
}

// False when there is nothing that may go on.
bool CommandFile::run_next_parked() {
  std::optional<Parked> next;
  std::optional<ReleaseReply> closing;
  {
    MutexLock lock(mutex_);
    Outstanding& all = outstanding_;
    all.going_on = !all.running && !all.parked.empty();
    if (all.going_on) {
      next.emplace(std::move(all.parked.front()));
      all.parked.pop_front();
    } else if (!all.running && all.closing) {
      closing.emplace(std::move(*all.closing));
      all.closing.reset();
    } else {
      return false;
    }
  }
  if (closing) {
    close(std::move(*closing));
  } else {
    std::visit([this](auto& request) { go_on(request); }, *next);
  }
  return true;
}

// What a request throws is its own failure, which its reply has told: the others go on.
void CommandFile::run_parked() noexcept {
  for (bool more = true; more;) {
    try {
      more = run_next_parked();
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
  }
}

void CommandFile::go_on(ParkedRead& request) {
  read_in_turn(request.size, request.reply);
}

void CommandFile::go_on(ParkedWrite& request) {
  write_in_turn(request.data, request.nonblocking, request.reply);
}

void CommandFile::poll(PollRequest request, PollReply reply) {
  unsigned mask = 0;
  {
    MutexLock lock(mutex_);
    // Kept before the state is looked at, so that no change in between goes unnoticed.
    if (request.waker) {
      outstanding_.waker = std::move(request.waker);
    }
    mask = poll_mask();
    if ((mask & request.events) == 0) {
      outstanding_.awaited_events |= request.events;
    }
  }
  reply.events(mask);
}

unsigned CommandFile::poll_mask() const {
  if (outstanding_.running) {
    return 0;
  }
  return response_.pending() ? kReadable : kWritable;
}

// A waker stays: an edge-triggered epoll asks once and then counts on being woken every time.
void CommandFile::wake_pollers() {
  outstanding_.awaited_events = 0;
  outstanding_.waker.wake();
}

// One alarm per file is enough: when it comes too early for the present response it is set again.
// Without memory for one the response is kept for longer: until the next one has its alarm.
void CommandFile::set_timeout() noexcept {
  if (outstanding_.alarm) {
    return;
  }
  try {
    set_alarm();
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

void CommandFile::set_alarm() {
  outstanding_.alarm = parts_.clock.call_at(expiry_, [weak = weak_from_this()] {
    if (auto self = weak.lock()) {
      self->expire();
    }
  });
}

void CommandFile::resume_timeout() {
  MutexLock lock(mutex_);
  if (response_.pending()) {
    set_timeout();
  }
}

void CommandFile::expire() {
  MutexLock lock(mutex_);
  outstanding_.alarm.reset();
  if (!response_.pending()) {
    return;
  }
  if (parts_.clock.now() < expiry_) {
    set_alarm();
    return;
  }
  response_.discard();
  wake_pollers();
}

OpenFileState CommandFile::state() const {
  OpenFileState state = ControlledFile::state();
  MutexLock lock(mutex_);
  state.response = response_.copy();
  if (response_.pending()) {
    state.response_left =
        std::chrono::duration_cast<std::chrono::milliseconds>(expiry_ - parts_.clock.now());
  }
  return state;
}

void CommandFile::release(ReleaseReply reply) {
  {
    MutexLock lock(mutex_);
    if (outstanding_.running) {
      outstanding_.closing.emplace(std::move(reply));
      return;
    }
  }
  close(std::move(reply));
}

void CommandFile::close(ReleaseReply reply) {
  Closing closing(shared_from_this(), std::move(reply));
  {
    MutexLock lock(mutex_);
    response_.discard();
    if (outstanding_.alarm) {
      parts_.clock.cancel(*outstanding_.alarm);
    }
  }
  close_in_order(std::move(closing));
}

}  // namespace vtpm
