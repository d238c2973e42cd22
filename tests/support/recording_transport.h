// A transport for tests: keeps what requests are answered with, and lets open files be used without
// a channel.
//
// Takes no memory while requests are answered. Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "ctl/door/node.h"

namespace vtpm {

class RecordingTransport final : public Transport {
 public:
  static constexpr size_t kMostRequests = 2048;
  static constexpr size_t kLongestAnswer = 5000;

  struct Answer {
    int times = 0;
    int error = 0;
    size_t written = 0;
    unsigned events = 0;
    Bytes bytes;
    std::shared_ptr<OpenFile> file;
  };

  RecordingTransport() { answers_.reserve(kMostRequests); }

  // The reply to one more request.
  template <class Reply>
  Reply request() {
    EXPECT_LT(answers_.size(), kMostRequests);
    answers_.emplace_back().bytes.reserve(kLongestAnswer);
    return Reply(*this, RequestId{answers_.size() - 1});
  }
  // To the request that was made last.
  [[nodiscard]] const Answer& answer() const { return answers_.back(); }

  PollWaker waker() { return {*this, PollerId{1}}; }
  [[nodiscard]] int woken() const { return woken_; }

  // -- a system call each --
  std::shared_ptr<OpenFile> open(Node& node, const Opener& opener) {
    node.open(opener, request<OpenReply>());
    return std::move(answers_.back().file);
  }
  const Answer& read(OpenFile& file, size_t size = kLongestAnswer) {
    file.read(size, request<ReadReply>());
    return answer();
  }
  const Answer& write(OpenFile& file, ByteView data, bool nonblocking = false) {
    file.write(data, nonblocking, request<WriteReply>());
    return answer();
  }
  const Answer& ioctl(OpenFile& file, uint32_t number, ByteView in, size_t out_size) {
    file.ioctl({number, in, out_size}, request<IoctlReply>());
    return answer();
  }
  const Answer& release(OpenFile& file) {
    file.release(request<ReleaseReply>());
    return answer();
  }

  // -- Transport --
  void answer_error(RequestId request, int error_number) noexcept override {
    of(request).error = error_number;
  }
  void answer_opened(RequestId request, std::shared_ptr<OpenFile> file) noexcept override {
    of(request).file = std::move(file);
  }
  void answer_read(RequestId request, ByteView bytes) noexcept override {
    of(request).bytes.assign(bytes.begin(), bytes.end());
  }
  void answer_written(RequestId request, size_t count) noexcept override {
    of(request).written = count;
  }
  void answer_poll(RequestId request, unsigned events) noexcept override {
    of(request).events = events;
  }
  void answer_ioctl(RequestId request, ByteView out) noexcept override {
    of(request).bytes.assign(out.begin(), out.end());
  }
  void wake(PollerId /*poller*/) noexcept override { ++woken_; }
  void forget(PollerId /*poller*/) noexcept override {}

 private:
  Answer& of(RequestId request) {
    Answer& answer = answers_.at(static_cast<size_t>(request));
    ++answer.times;
    return answer;
  }

  std::vector<Answer> answers_;
  int woken_ = 0;
};

}  // namespace vtpm
