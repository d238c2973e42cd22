// What a handler of control requests is called with, beside the request, and what comes out.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <variant>

#include "ctl/control/control_context.h"
#include "ctl/control/privilege.h"
#include "ctl/control/requests.h"
#include "engine/base/result.h"

namespace vtpm {

struct ControlCall {
  ControlContext& device;
  Privilege caller;
  VirtualTpm::Pending pending;  // for Turn::as_command
  unsigned attempt = 0;         // how often it was asked to come again
};

// The wish to be called again a little later, with the same request.
struct Again {
  std::chrono::milliseconds delay;
};

// Between two attempts at the storage lock.
inline constexpr std::chrono::milliseconds kLockPause{10};

// What handlers return: the answer, or an error. An error that carries no TPM result code gets one
// from the dispatcher.
template <class Request>
using Answered = Result<typename Request::Answer>;

// Of handlers that may have to wait.
template <class Request>
using AnsweredOrAgain = std::variant<Answered<Request>, Again>;

using ControlOutcome = std::variant<Result<ControlAnswer>, Again>;

// `tpm_result`: control_result::*.
inline tl::unexpected<Error> refusal(uint32_t tpm_result, std::string why) {
  return failure(Errc::invalid, std::move(why), tpm_result);
}

}  // namespace vtpm
