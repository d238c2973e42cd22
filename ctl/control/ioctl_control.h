// The door through which ioctls come to the dispatcher.
//
// Ownership: borrows the dispatcher. Threads: any.
#pragma once

#include <memory>
#include <utility>

#include "ctl/control/control_dispatcher.h"
#include "ctl/control/ioctl_codec.h"

namespace vtpm {

class IoctlControl {
 public:
  explicit IoctlControl(ControlDispatcher& dispatcher) : dispatcher_(dispatcher) {}

  // For an open file's requests.
  [[nodiscard]] std::shared_ptr<Lane> new_lane() const { return dispatcher_.new_lane(); }

  // Calls `done` exactly once with a Result<Bytes>, now or later, maybe on another thread.
  // `transfer` belongs to the open file that the request came through. Errors: unsupported for a
  // number without a row, denied for a caller that may not, invalid for a request whose size is not
  // the number's, busy for one request too many. Everything else is a result code in the response.
  template <class Done>
  void handle(uint32_t number, ByteView in, const ControlCaller& caller,
              std::shared_ptr<BlobTransfer> transfer, Done done) {
    auto begun = begin(number, in, caller.privilege, std::move(transfer));
    if (!begun) {
      done(Result<Bytes>(tl::unexpected(begun.error())));
      return;
    }
    const ControlRow& row = find_ioctl(number)->row();
    auto exchange = std::make_shared<IoctlExchange>(std::move(*begun));
    dispatcher_.dispatch(
        row, caller, [exchange] { return exchange->request(); },
        [exchange, done = std::move(done)](Result<ControlAnswer> answer) mutable {
          done(exchange->response(std::move(answer)));
        });
  }

 private:
  static Result<IoctlExchange> begin(uint32_t number, ByteView in, Privilege caller,
                                     std::shared_ptr<BlobTransfer> transfer);

  ControlDispatcher& dispatcher_;
};

}  // namespace vtpm
