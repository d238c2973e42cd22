// How a request is answered. The transport that it came by implements Transport: the kernel's
// channel, a socket, a test. An open file is given a typed reply, and knows no more of where its
// requests come from.
//
// Every reply is given away exactly once, now or later and from any thread. One that is dropped
// unanswered answers by itself, so no client ever hangs on a request that was read: EIO, or ENOMEM
// when an exception is what dropped it (docs/architecture.md, "Exceptions").
//
// Ownership: replies and wakers borrow the transport, which outlives them. Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "engine/base/bytes.h"

namespace vtpm {

class OpenFile;

// A transport's own names for a request that waits for its answer, and for whoever waits in poll.
enum class RequestId : uint64_t {};
enum class PollerId : uint64_t {};

// Called once for a request. An answer that comes too late, since its client is gone, is no error.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // `error_number` is an errno, 1 to 511; 0: done, for a release.
  virtual void answer_error(RequestId request, int error_number) noexcept = 0;
  virtual void answer_opened(RequestId request, std::shared_ptr<OpenFile> file) noexcept = 0;
  virtual void answer_read(RequestId request, ByteView bytes) noexcept = 0;
  virtual void answer_written(RequestId request, size_t count) noexcept = 0;
  virtual void answer_poll(RequestId request, unsigned events) noexcept = 0;
  virtual void answer_ioctl(RequestId request, ByteView out) noexcept = 0;

  virtual void wake(PollerId poller) noexcept = 0;
  // It is not woken any more.
  virtual void forget(PollerId poller) noexcept = 0;
};

// One unanswered request. Base of the typed replies.
class PendingReply {
 public:
  // Nobody asked: nobody is answered.
  PendingReply() = default;
  PendingReply(Transport& transport, RequestId request)
      : transport_(&transport), request_(request) {}
  PendingReply(PendingReply&& other) noexcept
      : transport_(other.take()), request_(other.request_) {}
  PendingReply& operator=(PendingReply&&) = delete;
  ~PendingReply() {
    if (transport_ != nullptr) {
      answer_dropped();
    }
  }

  // `error_number` is an errno, 1 to 511.
  void error(int error_number) {
    if (Transport* transport = take()) {
      transport->answer_error(request_, error_number);
    }
  }

 protected:
  // The caller answers from now on; null when that was done.
  Transport* take() { return std::exchange(transport_, nullptr); }
  [[nodiscard]] RequestId request() const { return request_; }

 private:
  void answer_dropped();

  Transport* transport_ = nullptr;
  RequestId request_{};
};

class OpenReply : public PendingReply {
 public:
  using PendingReply::PendingReply;
  // The transport keeps `file` until it is released; if its opener is gone, it releases it at once.
  void opened(std::shared_ptr<OpenFile> file) {
    if (Transport* transport = take()) {
      transport->answer_opened(request(), std::move(file));
    }
  }
};

class ReadReply : public PendingReply {
 public:
  using PendingReply::PendingReply;
  void data(ByteView bytes) {
    if (Transport* transport = take()) {
      transport->answer_read(request(), bytes);
    }
  }
};

class WriteReply : public PendingReply {
 public:
  using PendingReply::PendingReply;
  void written(size_t count) {
    if (Transport* transport = take()) {
      transport->answer_written(request(), count);
    }
  }
};

class PollReply : public PendingReply {
 public:
  using PendingReply::PendingReply;
  // A set of POLL* bits.
  void events(unsigned mask) {
    if (Transport* transport = take()) {
      transport->answer_poll(request(), mask);
    }
  }
};

class IoctlReply : public PendingReply {
 public:
  using PendingReply::PendingReply;
  // What ioctl() returns 0 with; at most the size encoded in the request's number.
  void result(ByteView out) {
    if (Transport* transport = take()) {
      transport->answer_ioctl(request(), out);
    }
  }
};

class ReleaseReply : public PendingReply {
 public:
  using PendingReply::PendingReply;
  void done() {
    if (Transport* transport = take()) {
      transport->answer_error(request(), 0);
    }
  }
};

// Wakes whoever waits in poll, select or epoll for one open file. Stays usable until the file is
// released or the transport ends.
class PollWaker {
 public:
  PollWaker() = default;
  PollWaker(Transport& transport, PollerId poller) : transport_(&transport), poller_(poller) {}
  PollWaker(PollWaker&& other) noexcept
      : transport_(std::exchange(other.transport_, nullptr)), poller_(other.poller_) {}
  PollWaker& operator=(PollWaker&& other) noexcept {
    std::swap(transport_, other.transport_);
    std::swap(poller_, other.poller_);
    return *this;
  }
  ~PollWaker() {
    if (transport_ != nullptr) {
      transport_->forget(poller_);
    }
  }

  explicit operator bool() const { return transport_ != nullptr; }
  void wake() const {
    if (transport_ != nullptr) {
      transport_->wake(poller_);
    }
  }

 private:
  Transport* transport_ = nullptr;
  PollerId poller_{};
};

}  // namespace vtpm
