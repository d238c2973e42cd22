#include "ctl/control/ioctl_control.h"

namespace vtpm {

Result<IoctlExchange> IoctlControl::begin(uint32_t number, ByteView in, Privilege caller,
                                          std::shared_ptr<BlobTransfer> transfer) {
  const IoctlRow* ioctl = find_ioctl(number);
  if (ioctl == nullptr) {
    return failure(Errc::unsupported, "no such control request");
  }
  // Before the size: whoever may not is told that, whatever was sent.
  if (auto permitted = ControlDispatcher::permit(ioctl->row(), caller); !permitted) {
    return tl::unexpected(permitted.error());
  }
  return IoctlExchange::begin(*ioctl, in, std::move(transfer));
}

}  // namespace vtpm
