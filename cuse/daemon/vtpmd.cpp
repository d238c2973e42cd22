// vtpmd: one virtual TPM as a character device.
//
//   write(2) -> CUSE -> CuseSession -> CommandFile -> Strand -> VirtualTpm -> LibtpmsEngine
//   read(2)  -> CUSE -> CuseSession -> CommandFile                                      |
//                                                                                  StateStore
#include <exception>
#include <new>

#include "cuse/daemon/daemon.h"
#include "engine/base/inherited.h"
#include "engine/keys/crypto.h"

namespace {

// Nothing of the caller's is kept but what options name, and what they ask for is possible.
vtpm::Result<void> check(const vtpm::Options& options) {
  return vtpm::close_inherited_but(vtpm::descriptors_named_in({options.key, options.migration_key}))
      .and_then([&] { return vtpm::check_usage(options); });
}

int run(int argc, char** argv) {
  vtpm::take_standard_descriptors();
  vtpm::ignore_host_configuration();
  auto parsed = vtpm::parse_options(argc, argv);
  if (!parsed.options) {
    return parsed.exit_status;
  }
  const vtpm::Options& options = *parsed.options;
  const std::string& who = options.name.empty() ? options.device.name : options.name;
  vtpm::log::configure(options.log_level, who.empty() ? "vtpmd" : "vtpmd " + who);
  if (auto usable = check(options); !usable) {
    vtpm::log::error(usable.error().message);
    return 2;
  }
  auto served = vtpm::run_daemon(options);
  vtpm::log::tell_left_out();
  if (!served) {
    vtpm::log::error(served.error().message);
    return 1;
  }
  return 0;
}

}  // namespace

// What is thrown has ended the TPM in order on its way here, if there was one.
int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    vtpm::log::error(
        "out of memory: vtpmd needs more than its limits allow (ulimit -v, MemoryMax= of a unit)");
  } catch (const std::exception& thrown) {
    vtpm::log::error(thrown.what());
  }
  return 1;
}
