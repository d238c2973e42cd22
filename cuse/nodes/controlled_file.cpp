#include "cuse/nodes/controlled_file.h"

#include <cerrno>

namespace vtpm {
namespace {

int errno_for(Errc code) {
  switch (code) {
    case Errc::unsupported:
      return ENOTTY;
    case Errc::denied:
      return EPERM;
    case Errc::invalid:
      return EINVAL;
    case Errc::busy:
      return EBUSY;
    default:
      return EIO;
  }
}

// A control request's answer as ioctl() has it; wiped, since it may be a piece of a state.
struct IoctlAnswer {
  void operator()(Result<Bytes> out) {
    if (out) {
      reply.result(WipedBytes(std::move(*out)).get());
    } else {
      reply.error(errno_for(out.error().code));
    }
  }
  IoctlReply reply;
};

}  // namespace

void ControlledFile::ioctl(const IoctlRequest& request, IoctlReply reply) {
  control_.handle(request.number, request.in, {opening_.privilege, lane_}, transfer_,
                  IoctlAnswer{std::move(reply)});
}

OpenFileState ControlledFile::state() const {
  OpenFileState state;
  state.opening = opening_;
  state.transfer = transfer_->copy();
  return state;
}

bool ControlledFile::read_blob(size_t size, ReadReply& reply) {
  switch (transfer_->state()) {
    case BlobTransfer::State::idle:
      return false;
    case BlobTransfer::State::getting:
      reply.data(transfer_->read(size).get());
      return true;
    case BlobTransfer::State::setting:
    case BlobTransfer::State::writing:
      transfer_->abandon();
      reply.error(EIO);
      return true;
  }
  return false;
}

bool ControlledFile::write_blob(ByteView data, WriteReply& reply) {
  switch (transfer_->state()) {
    case BlobTransfer::State::idle:
      return false;
    case BlobTransfer::State::writing:
      if (transfer_->append(data)) {
        reply.written(data.size());
      } else {
        reply.error(EFBIG);
      }
      return true;
    case BlobTransfer::State::getting:
    case BlobTransfer::State::setting:
      transfer_->abandon();
      reply.error(EIO);
      return true;
  }
  return false;
}

}  // namespace vtpm
