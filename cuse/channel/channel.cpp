#include "cuse/channel/channel.h"

#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse3/cuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

namespace vtpm {

// -- Answers. libfuse frees the request with every one; one that comes too late (its client was
// killed before the request was read) is refused with ENOENT, which is no error. --

class Channel::FuseTransport final : public Transport {
 public:
  void answer_error(RequestId request, int error_number) noexcept override {
    fuse_reply_err(as_fuse(request), error_number);
  }

  void answer_opened(RequestId request, std::shared_ptr<OpenFile> file) noexcept override {
    fuse_file_info info{};
    try {
      info.fh = served->files.keep(file);
    } catch (...) {
      fuse_reply_err(as_fuse(request), ENOMEM);
      release(*file);
      return;
    }
    if (fuse_reply_open(as_fuse(request), &info) != 0) {
      // The opener is gone, so no release will come.
      release(*served->files.take(info.fh));
    }
  }

  void answer_read(RequestId request, ByteView bytes) noexcept override {
    // NOLINTNEXTLINE: libfuse takes char
    const auto* data = reinterpret_cast<const char*>(bytes.data());
    fuse_reply_buf(as_fuse(request), data, bytes.size());
  }

  void answer_written(RequestId request, size_t count) noexcept override {
    fuse_reply_write(as_fuse(request), count);
  }

  void answer_poll(RequestId request, unsigned events) noexcept override {
    fuse_reply_poll(as_fuse(request), events);
  }

  void answer_ioctl(RequestId request, ByteView out) noexcept override {
    fuse_reply_ioctl(as_fuse(request), 0, out.data(), out.size());
  }

  void wake(PollerId poller) noexcept override { fuse_lowlevel_notify_poll(as_fuse(poller)); }
  void forget(PollerId poller) noexcept override { fuse_pollhandle_destroy(as_fuse(poller)); }

  // -- from libfuse's callbacks --
  static FuseTransport& of(fuse_req_t request) {
    return *static_cast<FuseTransport*>(fuse_req_userdata(request));
  }
  template <class Reply>
  static Reply reply_to(fuse_req_t request) {
    return Reply(of(request), RequestId{reinterpret_cast<uintptr_t>(request)});  // NOLINT
  }
  PollWaker waker(fuse_pollhandle* handle) {
    return handle == nullptr
               ? PollWaker()
               : PollWaker(*this, PollerId{reinterpret_cast<uintptr_t>(handle)});  // NOLINT
  }
  void note_initialised(const fuse_conn_info& connection) {
    terms = {connection.proto_major, connection.proto_minor, connection.max_write, 0};
    initialised = true;
  }

  bool initialised = false;
  ChannelTerms terms;  // once it is
  std::optional<Served> served;

 private:
  static fuse_req_t as_fuse(RequestId request) {
    return reinterpret_cast<fuse_req_t>(static_cast<uintptr_t>(request));  // NOLINT
  }
  static fuse_pollhandle* as_fuse(PollerId poller) {
    return reinterpret_cast<fuse_pollhandle*>(static_cast<uintptr_t>(poller));  // NOLINT
  }
  static void release(OpenFile& file) noexcept {
    try {
      file.release(ReleaseReply());
    } catch (...) {  // NOLINT(bugprone-empty-catch): the file is released all the same
    }
  }
};

// -- Requests: from libfuse's callbacks to the node. --

namespace {

// No exception may unwind through libfuse. The request that one was thrown over is answered by the
// reply that was dropped, with ENOMEM.
template <class Act>
void guarded(Act act) noexcept {
  try {
    act();
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

std::vector<gid_t> groups_of(fuse_req_t request) {
  constexpr size_t kMost = 65536;  // the kernel's NGROUPS_MAX
  std::vector<gid_t> groups(kMost);
  int count = fuse_req_getgroups(request, static_cast<int>(groups.size()), groups.data());
  groups.resize(count > 0 ? std::min(static_cast<size_t>(count), kMost) : 0);
  return groups;
}

}  // namespace

// libfuse's callbacks.
struct Channel::Callbacks {
  static void on_init(void* userdata, fuse_conn_info* connection) noexcept {
    static_cast<FuseTransport*>(userdata)->note_initialised(*connection);
  }

  static void on_open(fuse_req_t request, fuse_file_info* info) noexcept {
    guarded([&] {
      auto reply = FuseTransport::reply_to<OpenReply>(request);
      const fuse_ctx* context = fuse_req_ctx(request);
      // Access mode 3, for ioctls alone, takes both permissions.
      bool may_write = (info->flags & O_ACCMODE) != O_RDONLY;
      Opener opener{context->uid, context->gid, context->pid, may_write,
                    [request] { return groups_of(request); }};
      FuseTransport::of(request).served->node.open(opener, std::move(reply));
    });
  }

  // Calls `act` with the open file; a handle that nobody holds gets EBADF.
  template <class Reply, class Act>
  static void with_file(fuse_req_t request, const fuse_file_info* info, Act act) noexcept {
    guarded([&] {
      auto reply = FuseTransport::reply_to<Reply>(request);
      auto file = FuseTransport::of(request).served->files.find(info->fh);
      if (!file) {
        reply.error(EBADF);
        return;
      }
      act(*file, reply);
    });
  }

  static void on_read(fuse_req_t request, size_t size, off_t /*offset*/,
                      fuse_file_info* info) noexcept {
    with_file<ReadReply>(request, info, [&](OpenFile& file, ReadReply& reply) {
      file.read(size, std::move(reply));
    });
  }

  // The kernel cuts a write of more than 128 KiB into pieces and counts their offsets up. The first
  // of them is too long for a command already, and a blob's pieces arrive in order: the offset says
  // nothing new.
  static void on_write(fuse_req_t request, const char* data, size_t size, off_t /*offset*/,
                       fuse_file_info* info) noexcept {
    with_file<WriteReply>(request, info, [&](OpenFile& file, WriteReply& reply) {
      bool nonblocking = (info->flags & O_NONBLOCK) != 0;
      file.write(std::as_bytes(std::span(data, size)), nonblocking, std::move(reply));
    });
  }

  static void on_poll(fuse_req_t request, fuse_file_info* info, fuse_pollhandle* handle) noexcept {
    PollWaker waker = FuseTransport::of(request).waker(handle);
    with_file<PollReply>(request, info, [&](OpenFile& file, PollReply& reply) {
      file.poll({info->poll_events, std::move(waker)}, std::move(reply));
    });
  }

  // NOLINTNEXTLINE(readability-function-size): libfuse's signature
  static void on_ioctl(fuse_req_t request, int number, void* /*argument*/, fuse_file_info* info,
                       unsigned /*flags*/, const void* in, size_t in_size,
                       size_t out_size) noexcept {
    with_file<IoctlReply>(request, info, [&](OpenFile& file, IoctlReply& reply) {
      ByteView bytes(static_cast<const std::byte*>(in), in_size);
      file.ioctl({static_cast<uint32_t>(number), bytes, out_size}, std::move(reply));
    });
  }

  static void on_release(fuse_req_t request, fuse_file_info* info) noexcept {
    guarded([&] {
      auto reply = FuseTransport::reply_to<ReleaseReply>(request);
      auto file = FuseTransport::of(request).served->files.take(info->fh);
      if (file) {
        file->release(std::move(reply));
      } else {
        reply.error(EBADF);
      }
    });
  }

  static cuse_lowlevel_ops all() {
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
};

// -- The channel --

// libfuse allocates the memory with the first receive and uses it again with every later one.
ReceiveBuffer::ReceiveBuffer() : buffer_(std::make_unique<fuse_buf>()) {}

ReceiveBuffer::ReceiveBuffer(ReceiveBuffer&& other) noexcept = default;

ReceiveBuffer::~ReceiveBuffer() {
  if (buffer_) {
    std::free(buffer_->mem);  // NOLINT: libfuse mallocs it
  }
}

Channel::Channel() : transport_(std::make_unique<FuseTransport>()) {}

Channel::~Channel() {
  if (session_ != nullptr) {
    fuse_session_destroy(session_);
  }
}

Result<FileDescriptor> Channel::duplicate() const {
  FileDescriptor copy(fcntl(fuse_session_fd(session_), F_DUPFD_CLOEXEC, 0));  // NOLINT
  if (!copy) {
    return io_failure("cannot duplicate the CUSE channel's descriptor", errno);
  }
  return copy;
}

void Channel::serve(Served served) {
  transport_->served.emplace(served);
}

// As libfuse has it: the size of the request, 0 at the end of the channel, an errno below.
int Channel::receive_one(ReceiveBuffer& buffer) noexcept {
  int size = fuse_session_receive_buf(session_, buffer.buffer_.get());
  if (size > 0) {
    fuse_session_process_buf(session_, buffer.buffer_.get());
  }
  return size;
}

Channel::Received Channel::receive(ReceiveBuffer& buffer) noexcept {
  int size = receive_one(buffer);
  return size > 0 || size == -EINTR ? Received::request_or_signal : Received::end_of_channel;
}

Result<void> Channel::shake_hands(FileDescriptor descriptor, const DeviceIdentity& identity) {
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
  cuse_lowlevel_ops ops = Callbacks::all();
  session_ = cuse_lowlevel_new(&args, &info, &ops, transport_.get());
  fuse_opt_free_args(&args);  // libfuse put a copy of its own in their place
  if (session_ == nullptr) {
    return failure(Errc::io, "libfuse cannot make a CUSE session");
  }
  // libfuse takes over a channel that is open already under this name, and closes it at the end.
  std::string path = "/dev/fd/" + std::to_string(descriptor.get());
  if (fuse_session_mount(session_, path.c_str()) != 0) {
    return failure(Errc::io, "libfuse refuses the channel");
  }
  descriptor.release();
  ReceiveBuffer buffer;
  while (!transport_->initialised) {
    int size = receive_one(buffer);
    if (size <= 0 && size != -EINTR) {
      return system_failure("the CUSE channel ended before the device was made",
                            size == 0 ? ENODEV : -size);
    }
  }
  terms_ = transport_->terms;
  return {};
}

Result<void> Channel::exchange(const FileDescriptor& descriptor) {
  if (dup3(descriptor.get(), fuse_session_fd(session_), O_CLOEXEC) < 0) {
    return io_failure("cannot take over the CUSE channel's descriptor", errno);
  }
  return {};
}

Result<std::unique_ptr<CreatedChannel>> CreatedChannel::create(FileDescriptor cuse,
                                                               const DeviceIdentity& identity) {
  std::unique_ptr<CreatedChannel> channel(new CreatedChannel());
  if (auto done = channel->shake_hands(std::move(cuse), identity); !done) {
    return tl::unexpected(done.error());
  }
  return channel;
}

namespace {

// The kernel's CUSE_INIT as it must have been.
Result<void> send_init(const FileDescriptor& to, const ChannelTerms& terms) {
  struct {
    fuse_in_header header;
    cuse_init_in init;
  } message{};
  message.header.len = sizeof(message);
  message.header.opcode = CUSE_INIT;
  message.header.unique = 2;
  message.init.major = terms.major;
  message.init.minor = terms.minor;
  message.init.flags = CUSE_UNRESTRICTED_IOCTL;  // what the kernel can do
  if (send(to.get(), &message, sizeof(message), MSG_NOSIGNAL) != sizeof(message)) {
    return io_failure("cannot begin a session for the CUSE channel", errno);
  }
  return {};
}

}  // namespace

// The kernel asks for no second CUSE_INIT, and libfuse serves nothing before the first. So libfuse
// has it from here, through a socket, in whose place comes the channel then.
Result<std::unique_ptr<InheritedChannel>> InheritedChannel::adopt(const FileDescriptor& descriptor,
                                                                  const ChannelTerms& terms) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return io_failure("cannot begin a session for the CUSE channel", errno);
  }
  FileDescriptor near(ends[0]);
  FileDescriptor far(ends[1]);
  if (auto sent = send_init(far, terms); !sent) {
    return tl::unexpected(sent.error());
  }
  std::unique_ptr<InheritedChannel> channel(new InheritedChannel());
  if (auto done = channel->shake_hands(std::move(near), {}); !done) {
    return tl::unexpected(done.error());
  }
  if (channel->terms_.max_write < terms.max_write) {
    return failure(Errc::unsupported, "the CUSE channel was made for writes of " +
                                          std::to_string(terms.max_write) +
                                          " bytes, and this libfuse takes " +
                                          std::to_string(channel->terms_.max_write) +
                                          ": serve it with the libfuse it was made with");
  }
  channel->terms_ = terms;
  if (auto done = channel->exchange(descriptor); !done) {
    return tl::unexpected(done.error());
  }
  return channel;
}

}  // namespace vtpm
