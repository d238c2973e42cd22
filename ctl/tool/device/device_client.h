// One open device node and the control requests of <vtpm/ioctl.h> as typed calls.
//
// Ownership: owns what the ioctl function captured (the node's file descriptor); move-only use.
// Threads: one at a time.
// Errors: what the kernel or the daemon refused, with the reason and what to do about it in the
// message. denied, not_found, busy, unsupported and io come from errno; tpm and wrong_phase carry
// the result code that the request was answered with.
//
// The structures that come back hold whatever the device put there: lengths are for the caller to
// check before use (ctl/tool/device/transfers.h does).
#pragma once

#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "ctl/tool/device/node_process.h"
#include "engine/base/result.h"

namespace vtpm {

// Sends one request on an open node: 0, or an errno value. Tests put a device of their own here.
using IoctlFunction = std::function<int(uint32_t number, void* structure)>;

// A request's number together with the one structure that fits it, and with what people have to
// know when it is refused.
template <class Abi>
struct ControlRequest {
  uint32_t number;
  std::string_view name;    // "INIT"
  std::string_view needs;   // the phase it needs, in words; empty: possible in every phase
  std::string_view remedy;  // the vtpmctl verb that leads to that phase

  // A structure that does not have the size that the number encodes does not compile.
  consteval ControlRequest(uint32_t its_number, std::string_view its_name,
                           std::string_view phase_needed = {}, std::string_view how = {})
      : number(its_number), name(its_name), needs(phase_needed), remedy(how) {
    if (_IOC_SIZE(its_number) != sizeof(Abi)) {
      throw "the structure does not fit the number";
    }
  }
};

namespace request {
inline constexpr std::string_view kOn = "powered on";
inline constexpr std::string_view kOff = "powered off";
inline constexpr ControlRequest<vtpm_capability> get_capability{VTPM_GET_CAPABILITY,
                                                                "GET_CAPABILITY"};
inline constexpr ControlRequest<vtpm_init> init{VTPM_INIT, "INIT"};
inline constexpr ControlRequest<vtpm_result> shutdown{VTPM_SHUTDOWN, "SHUTDOWN"};
inline constexpr ControlRequest<vtpm_established> get_established{
    VTPM_GET_TPMESTABLISHED, "GET_TPMESTABLISHED", kOn, "power on"};
inline constexpr ControlRequest<vtpm_locality> set_locality{VTPM_SET_LOCALITY, "SET_LOCALITY"};
inline constexpr ControlRequest<vtpm_result> hash_start{VTPM_HASH_START, "HASH_START", kOn,
                                                        "power on"};
inline constexpr ControlRequest<vtpm_hash_data> hash_data{VTPM_HASH_DATA, "HASH_DATA", kOn,
                                                          "power on"};
inline constexpr ControlRequest<vtpm_result> hash_end{VTPM_HASH_END, "HASH_END", kOn, "power on"};
inline constexpr ControlRequest<vtpm_result> cancel{VTPM_CANCEL_TPM_CMD, "CANCEL_TPM_CMD", kOn,
                                                    "power on"};
inline constexpr ControlRequest<vtpm_result> store_volatile{VTPM_STORE_VOLATILE, "STORE_VOLATILE",
                                                            kOn, "power on"};
inline constexpr ControlRequest<vtpm_locality> reset_established{
    VTPM_RESET_TPMESTABLISHED, "RESET_TPMESTABLISHED", kOn, "power on"};
inline constexpr ControlRequest<vtpm_get_state> get_state{VTPM_GET_STATEBLOB, "GET_STATEBLOB", kOn,
                                                          "power on"};
inline constexpr ControlRequest<vtpm_set_state> set_state{VTPM_SET_STATEBLOB, "SET_STATEBLOB", kOff,
                                                          "power off"};
inline constexpr ControlRequest<vtpm_result> stop{VTPM_STOP, "STOP"};
inline constexpr ControlRequest<vtpm_config> get_config{VTPM_GET_CONFIG, "GET_CONFIG"};
inline constexpr ControlRequest<vtpm_buffersize> set_buffersize{
    VTPM_SET_BUFFERSIZE, "SET_BUFFERSIZE", kOff, "power off"};
inline constexpr ControlRequest<vtpm_info> get_info{VTPM_GET_INFO, "GET_INFO"};
inline constexpr ControlRequest<vtpm_lock_storage> lock_storage{VTPM_LOCK_STORAGE, "LOCK_STORAGE"};
inline constexpr ControlRequest<vtpm_execute> execute{VTPM_EXECUTE, "EXECUTE"};
inline constexpr ControlRequest<vtpm_status> get_status{VTPM_GET_STATUS, "GET_STATUS"};
inline constexpr ControlRequest<vtpm_details> get_details{VTPM_GET_DETAILS, "GET_DETAILS"};
inline constexpr ControlRequest<vtpm_spaces> get_spaces{VTPM_GET_SPACES, "GET_SPACES"};
inline constexpr ControlRequest<vtpm_version> set_version{VTPM_SET_VERSION, "SET_VERSION", kOff,
                                                          "power off"};
}  // namespace request

// The result code at the beginning of every response but GET_CAPABILITY's, which is never refused.
template <class Abi>
uint32_t result_of(const Abi& answer) {
  if constexpr (requires { answer.resp; }) {
    return answer.resp.tpm_result;
  } else if constexpr (requires { answer.tpm_result; }) {
    return answer.tpm_result;
  } else {
    static_assert(std::is_same_v<Abi, vtpm_capability>);
    return VTPM_RESULT_SUCCESS;
  }
}

class DeviceClient {
 public:
  // `asked` is what the user called the device, for messages that say what to type; `node` is what
  // was opened.
  DeviceClient(std::string asked, std::string node, IoctlFunction ioctl)
      : asked_(std::move(asked)), node_(std::move(node)), ioctl_(std::move(ioctl)) {}

  // The structure as the device answered it; a result code other than success is an error.
  template <class Abi>
  Result<Abi> call(const ControlRequest<Abi>& what, Abi structure = {}) {
    if (int error = ioctl_(what.number, &structure); error != 0) {
      return tl::unexpected(errno_error(what.name, error));
    }
    if (uint32_t result = result_of(structure); result != VTPM_RESULT_SUCCESS) {
      return tl::unexpected(result_error(what.name, what.needs, what.remedy, result));
    }
    return structure;
  }

  [[nodiscard]] const std::string& asked() const { return asked_; }
  [[nodiscard]] const std::string& node() const { return node_; }

  // An error whose message begins with the node, as all of a client's do.
  [[nodiscard]] Error error(Errc code, const std::string& message, uint32_t tpm_result = 0) const;

 private:
  [[nodiscard]] Error errno_error(std::string_view request, int error_number) const;
  [[nodiscard]] Error result_error(std::string_view request, std::string_view needs,
                                   std::string_view remedy, uint32_t result) const;

  std::string asked_;
  std::string node_;
  IoctlFunction ioctl_;
};

// How long a daemon is waited for (docs/vtpmctl.8 says it): to open its node, and for what it
// answers beside whatever runs; and for any other request, which may wait for a command that runs,
// of which a TPM's slowest takes two minutes.
inline constexpr std::chrono::seconds kAnswerPatience{8};
inline constexpr std::chrono::minutes kRequestPatience{5};

// Whether a device could not be asked because its daemon did not answer in time.
bool did_not_answer(const Error& error);

// Opens character devices for control requests, each in a process of its own (node_process.h): no
// daemon keeps us waiting. The first one that does not answer is given `patience`, the next ones
// half of what the one before was given, so that a host full of them takes no hour. Who may only
// read a node opens it for that, and may look.
class NodeOpener {
 public:
  explicit NodeOpener(NodeCalls calls = system_calls(),
                      std::chrono::milliseconds patience = kAnswerPatience)
      : calls_(std::move(calls)), patience_(patience) {}

  // Or says why that cannot be. What is returned outlives this.
  Result<IoctlFunction> open(const std::string& path);

 private:
  NodeCalls calls_;
  std::chrono::milliseconds patience_;
};

}  // namespace vtpm
