// vtpmctl: steers and asks virtual TPMs.
//
//   command line -> Arguments -> run_command -> verb -> DeviceClient -> ioctl on /dev/vtpmctlN
#include <iostream>

#include "ctl/tool/commands.h"

int main(int argc, char** argv) {
  auto parsed = vtpm::parse_command_line(argc, argv, std::cout, std::cerr);
  if (!parsed.arguments) {
    return parsed.exit_status;
  }
  vtpm::Host host{{}, vtpm::open_node, std::cin, std::cout, std::cerr};
  return vtpm::run_command(*parsed.arguments, host);
}
