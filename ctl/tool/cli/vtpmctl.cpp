// vtpmctl: steers and asks virtual TPMs.
//
//   command line -> Arguments -> run_command -> verb -> DeviceClient -> ioctl on /dev/vtpmctlN
//                                                 '--> instances, Services -> systemd, vtpmd
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "ctl/tool/cli/commands.h"
#include "engine/base/inherited.h"
#include "engine/base/secret.h"
#include "engine/keys/crypto.h"

int main(int argc, char** argv) {
  vtpm::take_standard_descriptors();
  auto alone = vtpm::close_inherited_but(vtpm::descriptors_named_in({argv + 1, argv + argc}));
  if (!alone) {
    std::cerr << "vtpmctl: " << alone.error().message << "\n";
    return 2;
  }
  static_cast<void>(std::signal(
      SIGXFSZ, SIG_IGN));  // a limit for the size of files is a full disk, with its words
  vtpm::ignore_host_configuration();
  vtpm::keep_out_of_dumps();  // keys and states pass through
  auto parsed = vtpm::parse_command_line(argc, argv, std::cout, std::cerr);
  if (!parsed.arguments) {
    return parsed.exit_status;
  }
  bool systemd = access("/run/systemd/system", F_OK) == 0;
  bool udev = access("/run/udev/control", F_OK) == 0;
  auto services = vtpm::make_services(systemd, vtpm::run_program, {});
  vtpm::NodeOpener opener;
  vtpm::Host host{{},
                  {},
                  *services,
                  vtpm::run_program,
                  udev,
                  "/sys/class/misc/cuse/uevent",
                  [&](const std::string& path) { return opener.open(path); },
                  std::cin,
                  std::cout,
                  std::cerr};
  return vtpm::run_command(*parsed.arguments, host);
}
