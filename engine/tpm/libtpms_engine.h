// The engine that is a real TPM: libtpms.
//
// libtpms keeps one TPM per process in its own globals, so there is at most one LibtpmsEngine at a
// time; create() of a second one fails. No libtpms type leaves libtpms_engine.cpp.
//
// Source of the rules kept here: libtpms' manual pages and the behaviour of 0.9.2
// (docs/libtpms.md).
#pragma once

#include <memory>
#include <string>

#include "engine/state/state_store.h"
#include "engine/tpm/engine.h"

namespace vtpm {

struct LibtpmsOptions {
  TpmVersion version = TpmVersion::tpm20;

  // Whether power_on() may make a new TPM when the store has none.
  bool may_manufacture = true;

  // JSON of a libtpms profile for a TPM that is yet to be made; empty for the library's default,
  // which every libtpms since 0.9 can read. Needs libtpms 0.10.
  std::string profile;
};

class LibtpmsEngine : public Engine {
 public:
  // The store must outlive the engine.
  // Errors: busy when this process has one already; unsupported when the library was built without
  // that TPM version or knows no profiles.
  static Result<std::unique_ptr<LibtpmsEngine>> create(LibtpmsOptions options, StateStore& store);
};

// major << 16 | minor << 8 | micro
uint32_t libtpms_version_number();
// "0.9.2": the library in use.
std::string libtpms_version();

}  // namespace vtpm
