#include "ctl/control/control_table.h"

#include <vtpm/ioctl.h>

#include <array>

#include "ctl/control/control_handlers.h"

namespace vtpm {
namespace {

constexpr std::array kEveryPhase = {Phase::off, Phase::on, Phase::failed};
constexpr std::array kOn = {Phase::on};
constexpr std::array kNotOn = {Phase::off, Phase::failed};

// Handlers' ways to answer, in the one that the dispatcher knows.
ControlOutcome outcome_of(Result<void> answer) {
  return answer.map([] { return ControlAnswer(); });
}
template <class Answer>
ControlOutcome outcome_of(Result<Answer> answer) {
  return std::move(answer).map([](Answer&& value) { return ControlAnswer(std::move(value)); });
}
template <class Answer>
ControlOutcome outcome_of(std::variant<Result<Answer>, Again> answer) {
  if (const Again* again = std::get_if<Again>(&answer)) {
    return *again;
  }
  return outcome_of(std::get<Result<Answer>>(std::move(answer)));
}

template <class Handler>
struct Signature;
template <class Outcome, class Asked>
struct Signature<Outcome (*)(ControlCall&, const Asked&)> {
  using Request = Asked;
};

template <auto kHandler>
ControlOutcome handle(ControlCall& call, const ControlRequest& request) {
  using Request = typename Signature<decltype(kHandler)>::Request;
  return outcome_of(kHandler(call, std::get<Request>(request)));
}

template <auto kHandler>
constexpr ControlRow row(std::string_view name, std::span<const Phase> phases, Turn turn,
                         Privilege privilege, uint64_t capability) {
  using Request = typename Signature<decltype(kHandler)>::Request;
  return {kIndexOf<Request>, name, phases, turn, privilege, capability, handle<kHandler>};
}

using enum Turn;
using enum Privilege;
using namespace handlers;  // NOLINT: nothing but the column of handlers

// clang-format off
constexpr ControlRow kTable[] = {
    row<get_capability>("GET_CAPABILITY", kEveryPhase, at_once, anyone, 0),
    row<init>("INIT", kEveryPhase, after_commands, control, VTPM_CAP_INIT),
    row<handlers::shutdown>("SHUTDOWN", kEveryPhase, after_commands, control, VTPM_CAP_SHUTDOWN),
    row<get_established>("GET_TPMESTABLISHED", kOn, after_commands, observer, VTPM_CAP_GET_TPMESTABLISHED),
    row<set_locality>("SET_LOCALITY", kEveryPhase, at_once, control, VTPM_CAP_SET_LOCALITY),
    row<hash_start>("HASH_START", kOn, after_commands, control, VTPM_CAP_HASHING),
    row<hash_data>("HASH_DATA", kOn, after_commands, control, VTPM_CAP_HASHING),
    row<hash_end>("HASH_END", kOn, after_commands, control, VTPM_CAP_HASHING),
    row<cancel>("CANCEL_TPM_CMD", kOn, at_once, control, VTPM_CAP_CANCEL_TPM_CMD),
    row<store_volatile>("STORE_VOLATILE", kOn, after_commands, control, VTPM_CAP_STORE_VOLATILE),
    row<reset_established>("RESET_TPMESTABLISHED", kOn, after_commands, control, VTPM_CAP_RESET_TPMESTABLISHED),
    row<get_state>("GET_STATEBLOB", kOn, after_commands, control, VTPM_CAP_GET_STATEBLOB),
    row<set_state>("SET_STATEBLOB", kNotOn, after_commands, control, VTPM_CAP_SET_STATEBLOB),
    row<stop>("STOP", kEveryPhase, after_commands, control, VTPM_CAP_STOP),
    row<get_config>("GET_CONFIG", kEveryPhase, at_once, anyone, VTPM_CAP_GET_CONFIG),
    row<set_buffer_size>("SET_BUFFERSIZE", kEveryPhase, after_commands, control, VTPM_CAP_SET_BUFFERSIZE),
    row<get_info>("GET_INFO", kEveryPhase, after_commands, observer, VTPM_CAP_GET_INFO),
    row<lock_storage>("LOCK_STORAGE", kEveryPhase, after_commands, control, VTPM_CAP_LOCK_STORAGE),
    row<execute>("EXECUTE", kEveryPhase, as_command, raw_user, VTPM_CAP_EXECUTE),
    row<get_status>("GET_STATUS", kEveryPhase, at_once, observer, VTPM_CAP_GET_STATUS),
    row<set_version>("SET_VERSION", kNotOn, after_commands, control, VTPM_CAP_SET_VERSION),
    row<get_details>("GET_DETAILS", kEveryPhase, at_once, observer, VTPM_CAP_GET_DETAILS),
    row<get_spaces>("GET_SPACES", kEveryPhase, at_once, observer, VTPM_CAP_GET_SPACES),
};
// clang-format on

constexpr bool is_in_the_order_of_requests() {
  size_t index = 0;
  for (const ControlRow& row : kTable) {
    if (row.request != index++) {
      return false;
    }
  }
  return index == std::variant_size_v<ControlRequest>;
}
static_assert(is_in_the_order_of_requests(), "one row for each request");

}  // namespace

std::span<const ControlRow> control_table() {
  return kTable;
}

uint64_t capability_mask() {
  uint64_t mask = 0;
  for (const ControlRow& row : kTable) {
    mask |= row.capability;
  }
  return mask;
}

}  // namespace vtpm
