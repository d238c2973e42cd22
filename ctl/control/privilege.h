// What a caller may do, or a request takes.
#pragma once

namespace vtpm {

enum class Privilege {
  anyone,
  observer,  // member of the configured status group: looks, and changes nothing
  raw_user,  // has the raw TPM open
  control,   // root, or the configured control user or group
};

// Control includes all others; an observer has no commands, and whoever has the raw TPM open is
// told nothing of the host.
constexpr bool includes(Privilege caller, Privilege needed) {
  return caller == Privilege::control || needed == Privilege::anyone || caller == needed;
}

}  // namespace vtpm
