#include "cuse/nodes/raw_file.h"

namespace vtpm {

// Where the power switch cannot be turned for want of memory, the next opener turns it: power-on is
// a power cycle then.
void RawFile::close_in_order(Closing closing) {
  if (power_ == PowerSwitch::at_open) {
    VirtualTpm& tpm = parts().tpm;
    parts().strand.run([&tpm, closing = std::move(closing)] { tpm.power_off(); });
  }
}

// The slot is free before the release is answered: clients close and open again at once, and must
// not find it busy. The locality that it was used with goes with it: the next opener may have no
// right to it.
void RawFile::give_back() noexcept {
  parts().tpm.set_locality(Locality{0});
  hold_.reset();
}

}  // namespace vtpm
