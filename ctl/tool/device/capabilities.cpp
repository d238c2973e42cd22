#include "ctl/tool/device/capabilities.h"

#include <algorithm>
#include <array>

namespace vtpm {
namespace {

struct Row {
  vtpm_capability bit;
  const char* name;
};

// The name is the ABI's, which a test compares with this list.
#define VTPM_CAPABILITY(name) \
  Row {                       \
    VTPM_CAP_##name, #name    \
  }
constexpr std::array kRows = {
    VTPM_CAPABILITY(INIT),
    VTPM_CAPABILITY(SHUTDOWN),
    VTPM_CAPABILITY(GET_TPMESTABLISHED),
    VTPM_CAPABILITY(SET_LOCALITY),
    VTPM_CAPABILITY(HASHING),
    VTPM_CAPABILITY(CANCEL_TPM_CMD),
    VTPM_CAPABILITY(STORE_VOLATILE),
    VTPM_CAPABILITY(RESET_TPMESTABLISHED),
    VTPM_CAPABILITY(GET_STATEBLOB),
    VTPM_CAPABILITY(SET_STATEBLOB),
    VTPM_CAPABILITY(STOP),
    VTPM_CAPABILITY(GET_CONFIG),
    VTPM_CAPABILITY(SET_DATAFD),
    VTPM_CAPABILITY(SET_BUFFERSIZE),
    VTPM_CAPABILITY(GET_INFO),
    VTPM_CAPABILITY(SEND_COMMAND_HEADER),
    VTPM_CAPABILITY(LOCK_STORAGE),
    VTPM_CAPABILITY(EXECUTE),
    VTPM_CAPABILITY(GET_STATUS),
    VTPM_CAPABILITY(SET_VERSION),
    VTPM_CAPABILITY(GET_DETAILS),
    VTPM_CAPABILITY(GET_SPACES),
};
#undef VTPM_CAPABILITY

}  // namespace

std::vector<std::string> capability_names(vtpm_capability mask) {
  constexpr unsigned kBits = 64;
  std::vector<std::string> names;
  for (unsigned i = 0; i < kBits; ++i) {
    vtpm_capability bit = vtpm_capability{1} << i;
    if ((mask & bit) != 0) {
      const auto* row = std::ranges::find(kRows, bit, &Row::bit);
      names.push_back(row != kRows.end() ? row->name : "bit " + std::to_string(i));
    }
  }
  return names;
}

}  // namespace vtpm
