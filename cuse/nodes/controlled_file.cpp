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
    default:
      return EIO;
  }
}

// A control request's answer as ioctl() has it.
struct IoctlAnswer {
  void operator()(const Result<Bytes>& out) {
    if (out) {
      reply.result(*out);
    } else {
      reply.error(errno_for(out.error().code));
    }
  }
  IoctlReply reply;
};

}  // namespace

void ControlledFile::ioctl(const IoctlRequest& request, IoctlReply reply) {
  control_.handle(request.number, request.in, privilege_, transfer_, IoctlAnswer{std::move(reply)});
}

bool ControlledFile::read_blob(size_t size, ReadReply& reply) {
  switch (transfer_->state()) {
    case BlobTransfer::State::idle:
      return false;
    case BlobTransfer::State::getting:
      reply.data(transfer_->read(size));
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
