#include "engine/tpm/phase.h"

namespace vtpm {

std::string_view name(Phase phase) {
  switch (phase) {
    case Phase::off:
      return "off";
    case Phase::on:
      return "on";
    case Phase::failed:
      return "failed";
    case Phase::gone:
      return "gone";
  }
  return "?";
}

}  // namespace vtpm
