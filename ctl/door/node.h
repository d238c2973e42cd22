// What a device node is to the rest of the daemon: something that opens, and open files that read,
// write, poll, take ioctls and close. A transport turns its requests into these calls.
//
// Replies: every request comes with one (reply.h). Threads: the kernel locks nothing, so requests
// on one open file may arrive in parallel. release() comes when no other request on that file is
// outstanding. No call may wait for the TPM on the calling thread unless it runs as the TPM's
// Strand task: the few threads that serve a channel have to stay free for polls and cancels.
//
// Errors: a call may throw std::bad_alloc. Its request is answered by then, or by the reply that is
// dropped; the file can be used as before.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "ctl/door/opener_process.h"
#include "ctl/door/reply.h"
#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/base/secret.h"

namespace vtpm {

// Who opened a file: credentials at open time, in the namespaces of whoever opened /dev/cuse. `pid`
// is the opening thread's number; `process` asks /proc what it belongs to. `groups` asks for the
// supplementary groups, which costs a look into /proc; valid during the call of Node::open() only.
struct Opener {
  uid_t uid;
  gid_t gid;
  pid_t pid;
  bool may_write;  // the file was opened for writing, so the node's permissions allow that
  std::function<std::vector<gid_t>()> groups = [] { return std::vector<gid_t>(); };

  [[nodiscard]] OpenerProcess process() const { return process_of_thread(pid); }
};

struct PollRequest {
  unsigned events;  // what the poller asks for: POLL* bits
  PollWaker waker;  // empty when nobody would wait
};

struct IoctlRequest {
  uint32_t number;
  ByteView in;  // valid during the call
  size_t out_size;
};

class OpenFile {
 public:
  OpenFile() = default;
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  virtual ~OpenFile() = default;

  virtual void read(size_t size, ReadReply reply) = 0;
  // `data` is valid during the call. `nonblocking` is O_NONBLOCK as it is now.
  virtual void write(ByteView data, bool nonblocking, WriteReply reply) = 0;
  virtual void poll(PollRequest request, PollReply reply) = 0;
  virtual void ioctl(const IoctlRequest& request, IoctlReply reply) = 0;
  virtual void release(ReleaseReply reply) = 0;

  // What the file is, for Node::restore() of the same program, here or in another process; without
  // what is outstanding on it. Once no request on it is under way.
  [[nodiscard]] virtual WipedBytes save() const = 0;
};

class Node {
 public:
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node() = default;

  virtual void open(const Opener& opener, OpenReply reply) = 0;

  // A file that goes on with what save() said. Errors: corrupt or unsupported when that is not what
  // a file of this node says; busy when the node has no room for it.
  virtual Result<std::shared_ptr<OpenFile>> restore(ByteView saved) = 0;
};

}  // namespace vtpm
