#include "tests/support/wire_kernel.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vtpm {
namespace {

constexpr int kPatienceMs = 10000;

bool is_readable(int file, int timeout_ms) {
  pollfd poller{.fd = file, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {  // libFuzzer's clock is a signal
    ready = ::poll(&poller, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}
constexpr WireKernel::Unique kInitUnique = 1;

template <class Structure>
Bytes bytes_of(const Structure& structure, ByteView tail = {}) {
  auto view = std::as_bytes(std::span(&structure, 1));
  Bytes bytes(view.begin(), view.end());
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  return bytes;
}

template <class Structure>
Structure structure_of(ByteView bytes) {
  Structure structure{};
  EXPECT_GE(bytes.size(), sizeof(structure));
  std::memcpy(&structure, bytes.data(), std::min(bytes.size(), sizeof(structure)));
  return structure;
}

}  // namespace

WireKernel::WireKernel() {
  std::array<int, 2> ends{};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
  kernel_end_.reset(ends[0]);
  daemon_end_.reset(ends[1]);
}

void WireKernel::send_init() {
  next_unique_ = kInitUnique;
  cuse_init_in init{};
  init.major = 7;
  init.minor = 38;
  init.flags = CUSE_UNRESTRICTED_IOCTL;
  send_raw(CUSE_INIT, bytes_of(init));
}

Bytes WireKernel::init_reply() {
  return wait(kInitUnique).body;
}

WireKernel::Unique WireKernel::send_raw(uint32_t opcode, ByteView body, Caller caller) {
  fuse_in_header header{};
  header.len = static_cast<uint32_t>(sizeof(header) + body.size());
  header.opcode = opcode;
  header.unique = next_unique_++;
  header.uid = caller.uid;
  header.gid = caller.gid;
  header.pid = static_cast<uint32_t>(caller.pid);
  Bytes request = bytes_of(header, body);
  ssize_t sent = ::send(kernel_end_.get(), request.data(), request.size(), MSG_NOSIGNAL);
  EXPECT_EQ(sent, static_cast<ssize_t>(request.size()));
  return header.unique;
}

WireKernel::Unique WireKernel::send_open(int flags, Caller caller) {
  fuse_open_in body{};
  body.flags = static_cast<uint32_t>(flags);
  return send_raw(FUSE_OPEN, bytes_of(body), caller);
}

WireKernel::Unique WireKernel::send_read(uint64_t file, uint32_t size, int flags) {
  fuse_read_in body{};
  body.fh = file;
  body.size = size;
  body.flags = static_cast<uint32_t>(flags);
  return send_raw(FUSE_READ, bytes_of(body));
}

WireKernel::Unique WireKernel::send_write(uint64_t file, ByteView data, int flags,
                                          uint64_t offset) {
  fuse_write_in body{};
  body.fh = file;
  body.offset = offset;
  body.size = static_cast<uint32_t>(data.size());
  body.flags = static_cast<uint32_t>(flags);
  return send_raw(FUSE_WRITE, bytes_of(body, data));
}

WireKernel::Unique WireKernel::send_poll(uint64_t file, unsigned events, bool would_wait) {
  fuse_poll_in body{};
  body.fh = file;
  body.kh = file;
  body.flags = would_wait ? FUSE_POLL_SCHEDULE_NOTIFY : 0;
  body.events = events;
  return send_raw(FUSE_POLL, bytes_of(body));
}

WireKernel::Unique WireKernel::send_ioctl(uint64_t file, uint32_t number, ByteView in,
                                          uint32_t out_size) {
  fuse_ioctl_in body{};
  body.fh = file;
  body.cmd = number;
  body.in_size = static_cast<uint32_t>(in.size());
  body.out_size = out_size;
  return send_raw(FUSE_IOCTL, bytes_of(body, in));
}

WireKernel::Unique WireKernel::send_release(uint64_t file) {
  fuse_release_in body{};
  body.fh = file;
  return send_raw(FUSE_RELEASE, bytes_of(body));
}

void WireKernel::send_interrupt(Unique request) {
  fuse_interrupt_in body{};
  body.unique = request;
  send_raw(FUSE_INTERRUPT, bytes_of(body));
}

bool WireKernel::receive(int timeout_ms) {
  if (!is_readable(kernel_end_.get(), timeout_ms)) {
    return false;
  }
  constexpr size_t kLargestMessage = 140000;
  Bytes message(kLargestMessage);
  ssize_t got = recv(kernel_end_.get(), message.data(), message.size(), 0);
  if (got < static_cast<ssize_t>(sizeof(fuse_out_header))) {
    return false;
  }
  message.resize(static_cast<size_t>(got));
  auto header = structure_of<fuse_out_header>(message);
  EXPECT_EQ(header.len, message.size());
  if (header.unique == 0) {
    EXPECT_EQ(header.error, FUSE_NOTIFY_POLL);
    ++notifications_;
    return true;
  }
  message.erase(message.begin(), message.begin() + sizeof(header));
  bool first = replies_.emplace(header.unique, WireReply{-header.error, message}).second;
  EXPECT_TRUE(first) << "request " << header.unique << " was answered twice";
  return true;
}

WireReply WireKernel::wait(Unique request) {
  while (!replies_.contains(request)) {
    if (!receive(kPatienceMs)) {
      ADD_FAILURE() << "request " << request << " was not answered";
      return {EIO, {}};
    }
  }
  return std::move(replies_.at(request));
}

bool WireKernel::answered(Unique request) {
  while (receive(0)) {
  }
  return replies_.contains(request);
}

WireReply WireKernel::open(int flags, Caller caller) {
  return wait(send_open(flags, caller));
}

uint64_t WireKernel::open_file(int flags, Caller caller) {
  WireReply reply = open(flags, caller);
  EXPECT_EQ(reply.error, 0);
  return structure_of<fuse_open_out>(reply.body).fh;
}

WireReply WireKernel::ioctl(uint64_t file, uint32_t number, ByteView in, uint32_t out_size) {
  WireReply reply = wait(send_ioctl(file, number, in, out_size));
  if (reply.error == 0) {
    EXPECT_EQ(structure_of<fuse_ioctl_out>(reply.body).result, 0);
    reply.body.erase(reply.body.begin(), reply.body.begin() + sizeof(fuse_ioctl_out));
    EXPECT_LE(reply.body.size(), out_size);
  }
  return reply;
}

unsigned WireKernel::poll(uint64_t file, unsigned events, bool would_wait) {
  WireReply reply = wait(send_poll(file, events, would_wait));
  EXPECT_EQ(reply.error, 0);
  return structure_of<fuse_poll_out>(reply.body).revents;
}

size_t WireKernel::notifications() {
  while (receive(0)) {
  }
  return notifications_;
}

void WireKernel::wait_notification() {
  while (notifications_ == awaited_notifications_) {
    if (!receive(kPatienceMs)) {
      ADD_FAILURE() << "no poll notification came";
      return;
    }
  }
  ++awaited_notifications_;
}

}  // namespace vtpm
