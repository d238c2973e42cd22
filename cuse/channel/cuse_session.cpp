#include "cuse/channel/cuse_session.h"

#include <pthread.h>
#include <signal.h>  // NOLINT: pthread_kill and sigaction are POSIX

#include <ctime>
#include <utility>

namespace vtpm {
namespace {

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

CuseSession::CuseSession(std::unique_ptr<Channel> channel, Node& node)
    : channel_(std::move(channel)), node_(node) {
  channel_->serve({node, files_});
}

CuseSession::~CuseSession() {
  stop();
}

Result<void> CuseSession::restore_files(const SavedFiles& saved) {
  for (const auto& [handle, file] : saved) {
    auto restored = node_.restore(file.get());
    if (!restored) {
      return tl::unexpected(restored.error());
    }
    files_.keep_as(handle, std::move(*restored));
  }
  return {};
}

void CuseSession::serve(std::function<void()> on_channel_end) {
  on_channel_end_ = std::move(on_channel_end);
  install_interrupt_handler();
  for (unsigned i = 0; i < kThreads; ++i) {
    threads_.emplace_back([this, buffer = ReceiveBuffer()]() mutable { serve_requests(buffer); });
  }
}

void CuseSession::serve_requests(ReceiveBuffer& buffer) {
  ++running_;
  make_interruptible();
  while (!stopping_) {
    if (channel_->receive(buffer) == Channel::Received::end_of_channel) {
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

}  // namespace vtpm
