// One CUSE channel, and so one device node, served by a few threads. The only file that knows
// libfuse is cuse_session.cpp.
//
// Life: start() answers the kernel's CUSE_INIT, which creates the device within the kernel; serve()
// begins to answer requests; stop() ends the threads; the destructor closes the channel, with which
// the node and everything waiting on it ends.
//
// start() cannot know whether the kernel really made the device: it reports failures by closing the
// channel (docs/architecture.md, "CUSE"). Callers verify, see device_creation.h.
//
// Ownership: owns the channel, borrows the node, keeps open files alive until released or ended.
// Threads: start, serve and stop from one thread; callbacks into the node from the serving threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cuse/channel/node.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/mutex.h"
#include "engine/base/result.h"

struct fuse_session;

namespace vtpm {

struct DeviceIdentity {
  std::string name;    // of the node under /dev
  unsigned major = 0;  // 0: the kernel gives a whole new one
  unsigned minor = 0;
};

class CuseSession {
 public:
  // One thread may be busy with the TPM; the others answer everything else.
  static constexpr unsigned kThreads = 2;

  // Errors: not_found when the channel ends before CUSE_INIT was answered, io otherwise.
  static Result<std::unique_ptr<CuseSession>> start(FileDescriptor channel,
                                                    const DeviceIdentity& identity, Node& node);
  ~CuseSession();
  CuseSession(const CuseSession&) = delete;
  CuseSession& operator=(const CuseSession&) = delete;

  // `on_channel_end` is called once, on a serving thread, when the kernel ends the channel.
  void serve(std::function<void()> on_channel_end);

  // Waits until the serving threads have ended; a command that runs is finished first. Afterwards
  // requests stay unanswered until the destructor closes the channel, which fails them. Idempotent.
  void stop();

  // -- for OpenReply and the callbacks from libfuse --
  uint64_t keep(std::shared_ptr<OpenFile> file);
  std::shared_ptr<OpenFile> find(uint64_t handle);
  std::shared_ptr<OpenFile> forget(uint64_t handle);
  Node& node() { return node_; }
  void note_initialised() { initialised_ = true; }

 private:
  explicit CuseSession(Node& node) : node_(node) {}

  Result<void> handshake();
  void serve_requests();

  struct fuse_session* session_ = nullptr;
  Node& node_;
  bool initialised_ = false;  // set during start() only
  std::function<void()> on_channel_end_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> channel_ended_ = false;
  std::atomic<unsigned> running_ = 0;
  std::vector<std::thread> threads_;

  Mutex mutex_;
  uint64_t next_handle_ VTPM_GUARDED_BY(mutex_) = 1;
  std::unordered_map<uint64_t, std::shared_ptr<OpenFile>> files_ VTPM_GUARDED_BY(mutex_);
};

}  // namespace vtpm
