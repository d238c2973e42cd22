// The one result type of this code base.
//
// Errc says what kind of failure it was, for programs; the message says what failed and why, for
// people. Errc is translated to the outside at exactly two edges: to errno in cuse/, to a TPM
// response in engine/.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace vtpm {

enum class Errc {
  not_found,    // what was asked for does not exist
  invalid,      // the request or an argument makes no sense
  busy,         // somebody else holds it
  denied,       // not permitted
  corrupt,      // stored or received data is damaged
  unsupported,  // well-formed, but not something this build or library can do
  io,           // the operating system or the storage failed
  wrong_phase,  // not possible in the TPM's present phase
  tpm,          // the TPM itself refused or failed
};

struct Error {
  Errc code;
  std::string message;
  // The TPM result code that says the same, where one does: the TPM's own, or one of those that
  // control requests are answered with. 0: none in particular.
  uint32_t tpm_result = 0;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(Errc code, std::string message, uint32_t tpm_result = 0) {
  return tl::unexpected<Error>(Error{code, std::move(message), tpm_result});
}

// "WHAT: No space left on device", with the kind that fits `error_number`.
inline tl::unexpected<Error> system_failure(const std::string& what, int error_number) {
  Errc code = Errc::io;
  if (error_number == ENOENT || error_number == ENXIO || error_number == ENODEV) {
    code = Errc::not_found;
  } else if (error_number == EACCES || error_number == EPERM) {
    code = Errc::denied;
  } else if (error_number == EBUSY || error_number == EEXIST || error_number == EADDRINUSE) {
    code = Errc::busy;
  }
  return failure(code, what + ": " + std::system_category().message(error_number));
}

// The same of what is open already: whatever it fails with, it is neither missing nor denied.
inline tl::unexpected<Error> io_failure(const std::string& what, int error_number) {
  return failure(Errc::io, system_failure(what, error_number).value().message);
}

}  // namespace vtpm
