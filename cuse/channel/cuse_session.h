// Serves a channel, and so one device node, with a few threads, whether the channel was created
// here or is inherited.
//
// Life: serve() begins to answer requests; stop() ends the threads; the destructor closes the
// channel's descriptor, with which, if it is the last one, the node ends.
//
// Ownership: owns the channel, borrows the node, keeps open files alive until released or ended.
// Threads: serve and stop from one thread; callbacks into the node from the serving threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "ctl/door/node.h"
#include "cuse/channel/channel.h"
#include "cuse/channel/open_files.h"

namespace vtpm {

class CuseSession {
 public:
  // One thread may be busy with the TPM; the others answer everything else.
  static constexpr unsigned kThreads = 2;

  CuseSession(std::unique_ptr<Channel> channel, Node& node);
  ~CuseSession();
  CuseSession(const CuseSession&) = delete;
  CuseSession& operator=(const CuseSession&) = delete;

  [[nodiscard]] const Channel& channel() const { return *channel_; }

  // `on_channel_end` is called once, on a serving thread, when the kernel ends the channel.
  void serve(std::function<void()> on_channel_end);

  // Waits until the serving threads have ended; a command that runs is finished first. Afterwards
  // requests stay unanswered until the channel's end, which fails them, or until another session
  // that inherits the channel. Idempotent.
  void stop();

  // -- The open files, for a session that inherits the channel: save after stop(), restore before
  // serve(). A response that waits to be read goes with its file. --
  using SavedFiles = std::vector<OpenFiles::Saved>;
  [[nodiscard]] SavedFiles save_files() const { return files_.save(); }
  // Errors: those of Node::restore(); files that came before stay restored.
  Result<void> restore_files(const SavedFiles& saved);

 private:
  void serve_requests(ReceiveBuffer& buffer);

  std::unique_ptr<Channel> channel_;
  Node& node_;
  OpenFiles files_;  // they hold poll handles, which point into the channel
  std::function<void()> on_channel_end_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> channel_ended_ = false;
  std::atomic<unsigned> running_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace vtpm
