#include "ctl/control/control_surface.h"

#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <algorithm>

namespace vtpm {

Result<const ControlRow*> ControlSurface::admit(uint32_t number, ByteView in, Privilege caller) {
  const ControlRow* row = find_control_row(number);
  if (row == nullptr) {
    return failure(Errc::unsupported, "no such control request");
  }
  if (!includes(caller, row->privilege)) {
    return failure(Errc::denied, "this opener may not control the TPM");
  }
  bool carries_data = (_IOC_DIR(number) & _IOC_WRITE) != 0;
  if (in.size() != (carries_data ? _IOC_SIZE(number) : 0)) {
    return failure(Errc::invalid, "a request of the wrong size");
  }
  return row;
}

// The phase is looked at when the request's turn has come, not when it arrived.
ControlOutcome ControlSurface::run(const ControlRow& row, ControlCall& call, ByteView in) {
  if (row.number != VTPM_GET_STATEBLOB && row.number != VTPM_SET_STATEBLOB) {
    call.transfer.abandon();
  }
  if (std::ranges::find(row.phases, call.device.tpm.phase()) == row.phases.end()) {
    call.transfer.abandon();
    return result_only(VTPM_RESULT_BAD_ORDINAL);
  }
  return row.handle(call, in);
}

}  // namespace vtpm
