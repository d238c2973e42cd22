// Sends one command COUNT times through the whole of vtpmd but its outer edges: the kernel's side
// of the channel is a double in the same process. For tests/bench/instructions.
//
//     wire_commands get_random|pcr_extend COUNT
#include <cstdio>
#include <string>

#include "engine/tpm/libtpms_engine.h"
#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

Bytes pcr_extend() {
  return hex("8002 00000041 00000182 00000010 00000009 40000009 0000 00 0000 00000001 000b" +
             std::string(64, '5'));
}

bool succeeds(WiredTpm& tpm, uint64_t file, const Bytes& command) {
  tpm.kernel.write(file, command);
  return response_code(tpm.kernel.read(file).body) == rc::success;
}

int run(const std::string& name, int count) {
  MemoryStore store;
  auto engine = LibtpmsEngine::create({}, store).value();
  WiredTpm tpm(*engine, store);
  if (!tpm.tpm.power_on() || !tpm.tpm.startup(StartupType::clear)) {
    return 1;
  }
  const Bytes command = name == "get_random" ? get_random(8) : pcr_extend();
  uint64_t file = tpm.kernel.open_file();
  for (int i = 0; i < count; ++i) {
    if (!succeeds(tpm, file, command)) {
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace vtpm

int main(int argc, char** argv) {
  std::string name = argc == 3 ? argv[1] : "";
  if (name != "get_random" && name != "pcr_extend") {
    std::fputs("usage: wire_commands get_random|pcr_extend COUNT\n", stderr);
    return 2;
  }
  return vtpm::run(name, std::stoi(argv[2]));
}
