// vtpmd: one virtual TPM as a character device.
//
//   write(2) -> CUSE -> CuseSession -> RawFile -> CommandQueue -> VirtualTpm -> LibtpmsEngine
//   read(2)  -> CUSE -> CuseSession -> RawFile                                      |
//                                                                              StateStore
#include "cuse/daemon.h"

int main(int argc, char** argv) {
  auto parsed = vtpm::parse_options(argc, argv);
  if (!parsed.options) {
    return parsed.exit_status;
  }
  const vtpm::Options& options = *parsed.options;
  const std::string& who = options.name.empty() ? options.device.name : options.name;
  vtpm::log::configure(options.log_level, who.empty() ? "vtpmd" : "vtpmd " + who);
  if (auto served = vtpm::run_daemon(*parsed.options); !served) {
    vtpm::log::error(served.error().message);
    return 1;
  }
  return 0;
}
