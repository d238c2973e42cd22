// Which handles and sessions a command names, and where its parameters are.
//
// Ownership: the parameters are a view of the command's bytes. Threads: a plain value.
// Errors: the code that a TPM has for it, when the command is shorter or longer than it says. Such
// a command never reaches the TPM: what it names was not looked up. Source: TPM 2.0 Library part 1
// section 18.
#pragma once

#include <array>
#include <span>

#include "engine/command/command.h"
#include "engine/resource_manager/command_table.h"
#include "engine/resource_manager/own_commands.h"

namespace vtpm {

struct SessionUse {
  TpmHandle handle;  // TPM_RS_PW as well
  bool continues;    // the session is there afterwards
};

class CommandLayout {
 public:
  // `command` has the tag of a TPM 2.0 command.
  static Answer<CommandLayout> read(const Command& command, const CommandAttributes& attributes);

  [[nodiscard]] const CommandAttributes& attributes() const { return attributes_; }
  [[nodiscard]] std::span<const uint32_t> handles() const {
    return std::span(handles_).first(attributes_.handles);
  }
  [[nodiscard]] std::span<const SessionUse> sessions() const {
    return std::span(sessions_).first(session_count_);
  }
  [[nodiscard]] ByteView parameters() const { return parameters_; }

 private:
  ResponseCode read_sessions(ByteView area);

  CommandAttributes attributes_;
  std::array<uint32_t, 7> handles_{};
  std::array<SessionUse, 3> sessions_{};
  size_t session_count_ = 0;
  ByteView parameters_;
};

bool has_sessions(const Command& command);

// Of a TPM 2.0 command at all, with or without sessions.
bool has_tpm2_tag(const Command& command);

}  // namespace vtpm
