// A CUSE channel whose CUSE_INIT is over: one that was created here, with which the kernel made the
// device, or one that is inherited from the process that created it. channel.cpp is the only file
// that knows libfuse.
//
// The kernel does not say whether it really made the device: it reports failures by closing the
// channel (docs/architecture.md, "CUSE"). Callers verify, see device_creation.h.
//
// Ownership: owns its descriptor. With the last descriptor of a channel, in whatever process, its
// node and everything waiting on it ends. Threads: receive() from any number of them, each with a
// ReceiveBuffer of its own; everything else from one, before and after.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ctl/door/node.h"
#include "cuse/channel/open_files.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/result.h"

struct fuse_buf;
struct fuse_session;

namespace vtpm {

struct DeviceIdentity {
  std::string name;    // of the node under /dev
  unsigned major = 0;  // 0: the kernel gives a whole new one
  unsigned minor = 0;
};

// What CUSE_INIT settled, for the whole life of the channel. Whoever inherits it has to keep to it.
struct ChannelTerms {
  uint32_t major = 0;  // of the kernel's protocol
  uint32_t minor = 0;
  uint32_t max_write = 0;  // bytes: no WRITE brings more
  uint32_t flags = 0;      // CUSE_* of the answer
  friend bool operator==(const ChannelTerms&, const ChannelTerms&) = default;
};

// Where a channel's requests go.
struct Served {
  Node& node;
  OpenFiles& files;
};

// What one thread receives requests into.
class ReceiveBuffer {
 public:
  ReceiveBuffer();
  ~ReceiveBuffer();
  ReceiveBuffer(ReceiveBuffer&& other) noexcept;
  ReceiveBuffer& operator=(ReceiveBuffer&&) = delete;

 private:
  friend class Channel;
  std::unique_ptr<fuse_buf> buffer_;
};

class Channel {
 public:
  virtual ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] const ChannelTerms& terms() const { return terms_; }

  // One more descriptor of the channel, for whoever inherits it. Errors: io.
  [[nodiscard]] Result<FileDescriptor> duplicate() const;

  // Before the first receive().
  void serve(Served served);

  // Waits for one request and hands it on. No exception leaves it: what one is thrown over fails
  // its own request.
  enum class Received { request_or_signal, end_of_channel };
  Received receive(ReceiveBuffer& buffer) noexcept;

 protected:
  Channel();

  // libfuse takes `descriptor` over and answers the CUSE_INIT that comes through it.
  Result<void> shake_hands(FileDescriptor descriptor, const DeviceIdentity& identity);
  // From now on it is this descriptor's channel.
  Result<void> exchange(const FileDescriptor& descriptor);

  ChannelTerms terms_;

 private:
  class FuseTransport;
  struct Callbacks;
  int receive_one(ReceiveBuffer& buffer) noexcept;

  std::unique_ptr<FuseTransport> transport_;
  fuse_session* session_ = nullptr;
};

class CreatedChannel final : public Channel {
 public:
  // `cuse` is /dev/cuse, opened for this channel alone.
  // Errors: not_found when the channel ends before CUSE_INIT was answered, io otherwise.
  static Result<std::unique_ptr<CreatedChannel>> create(FileDescriptor cuse,
                                                        const DeviceIdentity& identity);

 private:
  CreatedChannel() = default;
};

class InheritedChannel final : public Channel {
 public:
  // `descriptor` is of a channel whose terms these are. Requests that wait in it are not touched.
  // Errors: unsupported when its messages may be larger than this libfuse receives, io otherwise.
  static Result<std::unique_ptr<InheritedChannel>> adopt(const FileDescriptor& descriptor,
                                                         const ChannelTerms& terms);

 private:
  InheritedChannel() = default;
};

}  // namespace vtpm
