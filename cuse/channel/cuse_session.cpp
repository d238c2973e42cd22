#include "cuse/channel/cuse_session.h"

#define FUSE_USE_VERSION 312
#include <fuse3/cuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>  // NOLINT: pthread_kill and sigaction are POSIX

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace vtpm {

// -- Replies. libfuse frees the request with every reply; a reply that comes too late (its client
// was killed before the request was read) is refused with ENOENT, which is no error. --

namespace {

fuse_req_t as_request(void* request) {
  return static_cast<fuse_req_t>(request);
}

}  // namespace

PendingReply::~PendingReply() {
  error(EIO);
}

void* PendingReply::take() {
  return std::exchange(request_, nullptr);
}

void PendingReply::error(int error_number) {
  if (void* request = take()) {
    fuse_reply_err(as_request(request), error_number);
  }
}

void ReadReply::data(ByteView bytes) {
  if (void* request = take()) {
    // NOLINTNEXTLINE: libfuse takes char
    fuse_reply_buf(as_request(request), reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

void WriteReply::written(size_t count) {
  if (void* request = take()) {
    fuse_reply_write(as_request(request), count);
  }
}

void PollReply::events(unsigned mask) {
  if (void* request = take()) {
    fuse_reply_poll(as_request(request), mask);
  }
}

void IoctlReply::result(ByteView out) {
  if (void* request = take()) {
    fuse_reply_ioctl(as_request(request), 0, out.data(), out.size());
  }
}

void ReleaseReply::done() {
  if (void* request = take()) {
    fuse_reply_err(as_request(request), 0);
  }
}

void OpenReply::opened(std::shared_ptr<OpenFile> file) {
  if (void* request = take()) {
    fuse_file_info info{};
    info.fh = session_.keep(std::move(file));
    if (fuse_reply_open(as_request(request), &info) != 0) {
      // The opener is gone, so no release will come.
      auto forgotten = session_.forget(info.fh);
      forgotten->release(ReleaseReply(nullptr));
    }
  }
}

PollWaker::PollWaker(PollWaker&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

PollWaker& PollWaker::operator=(PollWaker&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

PollWaker::~PollWaker() {
  if (handle_ != nullptr) {
    fuse_pollhandle_destroy(static_cast<fuse_pollhandle*>(handle_));
  }
}

void PollWaker::wake() const {
  if (handle_ != nullptr) {
    fuse_lowlevel_notify_poll(static_cast<fuse_pollhandle*>(handle_));
  }
}

// -- Requests: from libfuse's callbacks to the node. --

namespace {

CuseSession& session_of(fuse_req_t request) {
  return *static_cast<CuseSession*>(fuse_req_userdata(request));
}

void on_init(void* userdata, fuse_conn_info* /*connection*/) {
  static_cast<CuseSession*>(userdata)->note_initialised();
}

std::vector<gid_t> groups_of(fuse_req_t request) {
  constexpr size_t kMost = 65536;  // the kernel's NGROUPS_MAX
  std::vector<gid_t> groups(kMost);
  int count = fuse_req_getgroups(request, static_cast<int>(groups.size()), groups.data());
  groups.resize(count > 0 ? std::min(static_cast<size_t>(count), kMost) : 0);
  return groups;
}

void on_open(fuse_req_t request, fuse_file_info* info) {
  const fuse_ctx* context = fuse_req_ctx(request);
  CuseSession& session = session_of(request);
  // Access mode 3, for ioctls alone, takes both permissions.
  bool may_write = (info->flags & O_ACCMODE) != O_RDONLY;
  Opener opener{context->uid, context->gid, context->pid, may_write,
                [request] { return groups_of(request); }};
  session.node().open(opener, OpenReply(request, session));
}

// Calls `act` with the open file; a handle that nobody holds gets EBADF.
template <class Reply, class Act>
void with_file(fuse_req_t request, const fuse_file_info* info, Act act) {
  Reply reply(request);
  auto file = session_of(request).find(info->fh);
  if (!file) {
    reply.error(EBADF);
    return;
  }
  act(*file, std::move(reply));
}

void on_read(fuse_req_t request, size_t size, off_t /*offset*/, fuse_file_info* info) {
  with_file<ReadReply>(request, info,
                       [&](OpenFile& file, ReadReply reply) { file.read(size, std::move(reply)); });
}

// The kernel cuts a write of more than 128 KiB into pieces and counts their offsets up. The first
// of them is too long for a command already, and a blob's pieces arrive in order: the offset says
// nothing new.
void on_write(fuse_req_t request, const char* data, size_t size, off_t /*offset*/,
              fuse_file_info* info) {
  with_file<WriteReply>(request, info, [&](OpenFile& file, WriteReply reply) {
    bool nonblocking = (info->flags & O_NONBLOCK) != 0;
    file.write(std::as_bytes(std::span(data, size)), nonblocking, std::move(reply));
  });
}

void on_poll(fuse_req_t request, fuse_file_info* info, fuse_pollhandle* handle) {
  PollWaker waker(handle);
  with_file<PollReply>(request, info, [&](OpenFile& file, PollReply reply) {
    file.poll({info->poll_events, std::move(waker)}, std::move(reply));
  });
}

// NOLINTNEXTLINE(readability-function-size): libfuse's signature
void on_ioctl(fuse_req_t request, int number, void* /*argument*/, fuse_file_info* info,
              unsigned /*flags*/, const void* in, size_t in_size, size_t out_size) {
  with_file<IoctlReply>(request, info, [&](OpenFile& file, IoctlReply reply) {
    ByteView bytes(static_cast<const std::byte*>(in), in_size);
    file.ioctl({static_cast<uint32_t>(number), bytes, out_size}, std::move(reply));
  });
}

void on_release(fuse_req_t request, fuse_file_info* info) {
  ReleaseReply reply(request);
  auto file = session_of(request).forget(info->fh);
  if (file) {
    file->release(std::move(reply));
  } else {
    reply.error(EBADF);
  }
}

cuse_lowlevel_ops operations() {
  cuse_lowlevel_ops ops{};
  ops.init = on_init;
  ops.open = on_open;
  ops.read = on_read;
  ops.write = on_write;
  ops.poll = on_poll;
  ops.ioctl = on_ioctl;
  ops.release = on_release;
  return ops;
}

// libfuse's receive buffer: allocated by the first receive, used again by every later one.
struct ReceiveBuffer {
  ReceiveBuffer() = default;
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;
  ~ReceiveBuffer() { std::free(buffer.mem); }  // NOLINT: libfuse mallocs it
  fuse_buf buffer{};
};

// The signal that gets a serving thread out of its blocking read. Its handler does nothing; only
// the interruption matters, so it must not restart system calls.
constexpr int kInterruptSignal = SIGUSR1;

// For the whole process, before the first thread that could be sent the signal.
void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(kInterruptSignal, &action, nullptr);
}

void make_interruptible() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, kInterruptSignal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace

// -- The session --

Result<std::unique_ptr<CuseSession>> CuseSession::start(FileDescriptor channel,
                                                        const DeviceIdentity& identity,
                                                        Node& node) {
  auto self = std::unique_ptr<CuseSession>(new CuseSession(node));
  std::string device_name = "DEVNAME=" + identity.name;
  const char* info_arguments[] = {device_name.c_str()};  // NOLINT: libfuse's shape
  cuse_info info{};
  info.dev_major = identity.major;
  info.dev_minor = identity.minor;
  info.dev_info_argc = 1;
  info.dev_info_argv = info_arguments;
  std::string program = "vtpmd";
  char* arguments[] = {program.data(), nullptr};  // NOLINT: libfuse's shape
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  cuse_lowlevel_ops ops = operations();
  self->session_ = cuse_lowlevel_new(&args, &info, &ops, self.get());
  fuse_opt_free_args(&args);  // libfuse put a copy of its own in their place
  if (self->session_ == nullptr) {
    return failure(Errc::io, "libfuse cannot make a CUSE session");
  }
  // libfuse takes over a channel that is open already under this name, and closes it at the end.
  std::string path = "/dev/fd/" + std::to_string(channel.get());
  if (fuse_session_mount(self->session_, path.c_str()) != 0) {
    return failure(Errc::io, "libfuse refuses the channel");
  }
  channel.release();
  if (auto done = self->handshake(); !done) {
    return tl::unexpected(done.error());
  }
  return self;
}

CuseSession::~CuseSession() {
  stop();
  {
    // Open files hold poll handles, which point into the session.
    MutexLock lock(mutex_);
    files_.clear();
  }
  if (session_ != nullptr) {
    fuse_session_destroy(session_);
  }
}

Result<void> CuseSession::handshake() {
  ReceiveBuffer received;
  while (!initialised_) {
    int size = fuse_session_receive_buf(session_, &received.buffer);
    if (size == -EINTR) {
      continue;
    }
    if (size <= 0) {
      return system_failure("the CUSE channel ended before the device was made",
                            size == 0 ? ENODEV : -size);
    }
    fuse_session_process_buf(session_, &received.buffer);
  }
  return {};
}

void CuseSession::serve(std::function<void()> on_channel_end) {
  on_channel_end_ = std::move(on_channel_end);
  install_interrupt_handler();
  for (unsigned i = 0; i < kThreads; ++i) {
    ++running_;
    threads_.emplace_back([this] { serve_requests(); });
  }
}

void CuseSession::serve_requests() {
  make_interruptible();
  ReceiveBuffer received;
  while (!stopping_) {
    int size = fuse_session_receive_buf(session_, &received.buffer);
    if (size > 0) {
      fuse_session_process_buf(session_, &received.buffer);
    } else if (size != -EINTR) {
      if (!channel_ended_.exchange(true) && !stopping_) {
        on_channel_end_();
      }
      break;
    }
  }
  --running_;
}

void CuseSession::stop() {
  stopping_ = true;
  // A thread may look at stopping_ just before it begins to read, so one signal may be too early
  // for it: signal again until all have seen it.
  while (running_ > 0) {
    for (std::thread& thread : threads_) {
      pthread_kill(thread.native_handle(), kInterruptSignal);
    }
    constexpr long kMillisecond = 1000000;
    timespec pause{0, kMillisecond};
    nanosleep(&pause, nullptr);
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

uint64_t CuseSession::keep(std::shared_ptr<OpenFile> file) {
  MutexLock lock(mutex_);
  uint64_t handle = next_handle_++;
  files_.emplace(handle, std::move(file));
  return handle;
}

std::shared_ptr<OpenFile> CuseSession::find(uint64_t handle) {
  MutexLock lock(mutex_);
  auto found = files_.find(handle);
  return found == files_.end() ? nullptr : found->second;
}

std::shared_ptr<OpenFile> CuseSession::forget(uint64_t handle) {
  MutexLock lock(mutex_);
  auto node = files_.extract(handle);
  return node ? std::move(node.mapped()) : nullptr;
}

}  // namespace vtpm
