// The kernel's side of a CUSE channel, for tests: speaks the FUSE protocol over a SOCK_SEQPACKET
// socket pair, so that real CuseSessions can be driven without a kernel that has CUSE.
//
// A request is sent, and its reply waited for now or later; replies that come meanwhile for other
// requests are kept. Waiting has a limit of ten seconds, after which the test fails: a daemon that
// forgets a reply is what these tests are for.
// Threads: one. Source: linux/fuse.h, fs/fuse/cuse.c.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/file_descriptor.h"

namespace vtpm {

struct WireReply {
  int error = 0;  // errno, positive; 0 for success
  Bytes body;
};

struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 4711;
};

class WireKernel {
 public:
  using Unique = uint64_t;

  WireKernel();

  // The daemon's end of the channel.
  FileDescriptor take_channel() { return std::move(daemon_end_); }
  // As when the last /dev/cuse descriptor of the kernel's side goes.
  void close_channel() { kernel_end_.reset(); }

  // CUSE_INIT; the reply is kept until init_reply().
  void send_init();
  Bytes init_reply();

  // -- requests, answered later --
  Unique send_open(int flags, Caller caller);
  Unique send_read(uint64_t file, uint32_t size, int flags = 0);
  Unique send_write(uint64_t file, ByteView data, int flags = 0, uint64_t offset = 0);
  Unique send_poll(uint64_t file, unsigned events, bool would_wait);
  Unique send_ioctl(uint64_t file, uint32_t number, ByteView in, uint32_t out_size);
  Unique send_release(uint64_t file);
  void send_interrupt(Unique request);
  // Any opcode with any body: for hostile requests.
  Unique send_raw(uint32_t opcode, ByteView body, Caller caller = {});

  // The number of the next request. One that is sent again, since its server is gone, has
  // kResent in it.
  static constexpr Unique kResent = Unique{1} << 63;
  void number_from(Unique next) { next_unique_ = next; }

  // The reply to that request; fails the test when there is none within ten seconds.
  WireReply wait(Unique request);
  // Whether the reply is here already, without waiting for it.
  bool answered(Unique request);

  // -- system calls: request and reply --
  WireReply open(int flags = O_RDWR, Caller caller = {});
  uint64_t open_file(int flags = O_RDWR, Caller caller = {});  // the handle
  WireReply read(uint64_t file, uint32_t size = 4096) { return wait(send_read(file, size)); }
  WireReply write(uint64_t file, ByteView data, int flags = 0) {
    return wait(send_write(file, data, flags));
  }
  // The body is what ioctl() would copy to the caller.
  WireReply ioctl(uint64_t file, uint32_t number, ByteView in, uint32_t out_size);
  WireReply release(uint64_t file) { return wait(send_release(file)); }
  // The mask that poll() would see.
  unsigned poll(uint64_t file, unsigned events, bool would_wait = false);

  // How many poll notifications have arrived so far, without waiting.
  size_t notifications();
  // Waits for the next one that was not waited for yet.
  void wait_notification();

 private:
  bool receive(int timeout_ms);

  FileDescriptor kernel_end_;
  FileDescriptor daemon_end_;
  Unique next_unique_ = 2;
  std::map<Unique, WireReply> replies_;
  size_t notifications_ = 0;
  size_t awaited_notifications_ = 0;
};

}  // namespace vtpm
