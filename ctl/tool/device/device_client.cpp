#include "ctl/tool/device/device_client.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "engine/command/response_codes.h"

namespace vtpm {
namespace {

constexpr std::chrono::milliseconds kLeastPatience{250};
constexpr const char* kNoAnswer = "its daemon does not answer";

// Those that a daemon answers beside whatever runs.
bool is_quick(uint32_t number) {
  return number == VTPM_GET_STATUS || number == VTPM_GET_CAPABILITY || number == VTPM_GET_CONFIG ||
         number == VTPM_GET_DETAILS || number == VTPM_GET_SPACES;
}

// What to do about an errno of open() or ioctl(); empty when there is nothing to say.
std::string advice(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM:
      return "control needs root, or the daemon's control user or group; its status group may look";
    case ENOENT:
    case ENXIO:
    case ENODEV:
      return "no such device; vtpmctl list shows those that are there";
    case ENOTTY:
    case EINVAL:
      return "not a vtpm device, or its daemon is older than this vtpmctl and lacks the request";
    case EBUSY:
      return "somebody holds the raw node; use the control node /dev/vtpmctlN";
    case ENOTCONN:
    case ECONNABORTED:
      return "the daemon is gone; start vtpmd again";
    case ETIMEDOUT:
      return "if it was stopped (kill -STOP), have it continue; else stop it, by vtpmctl stop NAME "
             "or kill -KILL";
    default:
      return {};
  }
}

Errc kind_of(int error_number) {
  switch (error_number) {
    case ENOTTY:
    case EINVAL:
      return Errc::unsupported;
    case ENOTCONN:
    case ECONNABORTED:
      return Errc::not_found;
    default:
      return system_failure("", error_number).value().code;
  }
}

std::string explained(const std::string& what, int error_number) {
  std::string text =
      what + ": " +
      (error_number == ETIMEDOUT ? kNoAnswer : std::system_category().message(error_number));
  std::string what_to_do = advice(error_number);
  return what_to_do.empty() ? text : text + ": " + what_to_do;
}

tl::unexpected<Error> open_failure(const std::string& path, int error_number) {
  return failure(kind_of(error_number), explained("cannot open " + path, error_number));
}

}  // namespace

Error DeviceClient::error(Errc code, const std::string& message, uint32_t tpm_result) const {
  return {code, node_ + ": " + message, tpm_result};
}

Error DeviceClient::errno_error(std::string_view request, int error_number) const {
  return {kind_of(error_number), explained(node_ + ": " + std::string(request), error_number), 0};
}

Error DeviceClient::result_error(std::string_view request, std::string_view needs,
                                 std::string_view remedy, uint32_t result) const {
  std::string message =
      std::string(request) + " was refused with " + describe_result(result).text();
  if (result != VTPM_RESULT_BAD_ORDINAL) {
    return error(Errc::tpm, message, result);
  }
  if (!needs.empty()) {
    message += "; the TPM has to be " + std::string(needs) + ": vtpmctl " + std::string(remedy) +
               " " + asked_;
  }
  return error(Errc::wrong_phase, message, result);
}

bool did_not_answer(const Error& error) {
  return error.code == Errc::io && error.message.find(kNoAnswer) != std::string::npos;
}

Result<IoctlFunction> NodeOpener::open(const std::string& path) {
  // Looked at first: opening something else can block, rewind a tape, or worse.
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return open_failure(path, errno);
  }
  if (!S_ISCHR(status.st_mode)) {
    return failure(Errc::invalid,
                   "cannot use " + path + ": it is no character device; say vtpm0 or /dev/vtpm0");
  }
  auto process = NodeProcess::start(path, calls_);
  if (!process) {
    return tl::unexpected(process.error());
  }
  if (int error = (*process)->opened(patience_); error != 0) {
    patience_ = error == ETIMEDOUT ? std::max(patience_ / 2, kLeastPatience) : patience_;
    return open_failure(path, error);
  }
  std::shared_ptr<NodeProcess> shared = std::move(*process);
  return [shared, patience = patience_](uint32_t number, void* structure) {
    return shared->ioctl(number, structure, is_quick(number) ? patience : kRequestPatience);
  };
}

}  // namespace vtpm
