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

std::string_view name(Event event) {
  switch (event) {
    case Event::init:
      return "init";
    case Event::stop:
      return "stop";
    case Event::shutdown:
      return "shutdown";
    case Event::fault:
      return "fault";
  }
  return "?";
}

}  // namespace vtpm
