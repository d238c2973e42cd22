// vtpmctl's command line. `vtpmctl --help`, docs/vtpmctl.8 and ctl/vtpmctl.bash say the same; a
// test holds them together.
//
// Threads: plain functions and values.
#pragma once

#include <array>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/tpm_types.h"

namespace vtpm {

enum class Verb {
  list,
  status,
  caps,
  info,
  config,
  power_on,
  power_off,
  power_reset,
  terminate,
  locality,
  cancel,
  established,
  hash,
  buffer_size,
  lock,
  state_save,
  state_load,
  state_store_volatile,
  state_inspect,
  state_import,
  state_export,
  state_rekey,
  state_backup,
  state_restore,
  version,
  send,
  create,
  start,
  stop,
  restart,
  enable,
  disable,
  destroy,
  spawn,
  uevent,  // for udev's rules
  forget,  // for the unit
  reap,
};

// What one run is to do. Fields that a verb does not have keep their defaults.
struct Arguments {
  Verb verb = Verb::list;
  std::string device;  // or an instance's name
  // start, stop, restart, enable, disable: instances; status: what `device` can be
  std::vector<std::string> names;
  bool json = false;
  bool delete_volatile = false;           // power on, power reset
  std::optional<StartupType> startup;     // power on, power reset
  std::optional<Locality> locality;       // locality; send: nothing means the one set last
  std::optional<Locality> reset;          // established
  std::string file;                       // hash; "-" is standard input
  std::optional<uint32_t> buffer_size;    // bytes
  uint32_t retries = 0;                   // lock; 10 ms apart
  bool decrypted = false;                 // state save
  std::array<std::string, 3> blob_files;  // state save, state load; by BlobKind, empty: not asked
  std::string from;  // state: inspect, rekey; import, export, with `to`; create
  std::string to;
  std::string from_key;  // sources of keys; empty: none
  std::string key;
  std::string new_key;
  std::string migration_key;
  bool remove_key = false;     // state rekey
  bool replace = false;        // state import, export, backup
  bool with_volatile = false;  // state backup
  bool no_volatile = false;    // state restore
  uint32_t generations = 0;    // state backup
  std::string directory;       // state backup: of all instances
  bool same_identity = false;  // state restore; or fresh_identity
  bool fresh_identity = false;
  std::optional<TpmVersion> version;
  std::vector<std::pair<std::string, std::string>> options;  // create: for vtpmd
  bool all = false;                                          // instead of names
  bool force = false;  // stop, restart, destroy, power, terminate, state restore: of one in use
  bool yes = false;    // destroy
  bool keep_state = false;       // destroy
  bool remove = false;           // spawn, uevent
  uint32_t process = 0;          // reap
  std::optional<Bytes> command;  // send; nothing: hexadecimal text on standard input
};

// The arguments, or the exit status of a run that has said all there is to say: 0 after --help and
// --version, 2 after a message about what is wrong.
struct ParsedArguments {
  std::optional<Arguments> arguments;
  int exit_status = 0;
};

ParsedArguments parse_command_line(int argc, const char* const* argv, std::ostream& out,
                                   std::ostream& err);

// Bytes written in hexadecimal; white space and colons between them are skipped. Nothing for
// anything else, and for no bytes at all.
std::optional<Bytes> parse_hex(std::string_view text);

// Every verb ("state save") with its options ("--permanent"), for the test of the documentation.
struct VerbSyntax {
  std::string verb;
  std::vector<std::string> options;
};
std::vector<VerbSyntax> command_line_syntax();

}  // namespace vtpm
