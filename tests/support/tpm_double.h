// A TPM 2.0 that has as many slots as a test wants and computes nothing: objects, sequences and
// sessions are numbers that change with what is done to them, so that a response tells whether the
// right one was used, in the right state. It keeps the rules of slots, contexts, the context gap
// and hierarchies that libtpms has (tests/contract).
//
// Commands are those of tests/support/space_commands.h, a few more, and no others. Parameters are
// taken as they are. Threads: as CommandPort.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "engine/command/command_port.h"
#include "engine/resource_manager/command_layout.h"

namespace vtpm {

class TpmDouble final : public CommandPort {
 public:
  struct Sizes {
    size_t objects = 3;
    size_t sessions = 3;
    size_t active_sessions = 64;
    uint32_t context_gap = 0xFFFF;
  };

  explicit TpmDouble(Sizes sizes);

  Bytes transmit(const Command& command, const Ticket& ticket) override;

  // Power is taken and given again, and it is started: a TPM Reset, or a Resume.
  void reset();
  void resume();

  [[nodiscard]] size_t loaded_objects() const;
  [[nodiscard]] size_t loaded_sessions() const;
  [[nodiscard]] size_t active_sessions() const;
  [[nodiscard]] uint64_t executed() const { return executed_; }

  // Every one of the commands has a code that is here.
  static const std::vector<CommandCode>& commands();

 private:
  struct Object {
    uint64_t content;
    uint32_t hierarchy;
    bool is_sequence;
  };
  struct Session {
    uint64_t state;
    uint32_t handle;
  };
  struct ActiveSession {
    std::optional<Session> loaded;
    uint64_t saved = 0;  // count of its context; 0: it is not saved

    [[nodiscard]] bool free() const { return !loaded && saved == 0; }
  };
  struct Done {
    ResponseCode code{};
    std::optional<uint32_t> handle = {};
    Bytes parameters = {};
  };
  struct Context;

  Done run(CommandCode code, const CommandLayout& layout);
  Done run_object_command(CommandCode code, const CommandLayout& layout);
  Done run_sequence_command(CommandCode code, const CommandLayout& layout);
  Done run_session_command(CommandCode code, const CommandLayout& layout);
  ResponseCode check(const CommandLayout& layout) const;
  Bytes respond(const Command& command, const CommandLayout& layout, Done done);

  Done add(Object object);
  Done evict_control(const CommandLayout& layout);
  Done start_session(const CommandLayout& layout);
  Done flush(uint32_t handle);
  Done save(uint32_t handle);
  Done load(ByteView bytes);
  Done load_object(const Context& context);
  Done load_session(const Context& context);
  Done clear();
  Done get_capability(ByteView parameters);
  Bytes list_handles(uint32_t first, uint32_t count) const;

  [[nodiscard]] Bytes seal(const Context& context) const;
  [[nodiscard]] std::optional<Object> find_object(uint32_t handle) const;
  Object& loaded(uint32_t handle) { return *slots_.at(handle & 0xFFFFFF); }
  [[nodiscard]] bool session_is_loaded(uint32_t handle) const;
  [[nodiscard]] uint64_t oldest_saved() const;
  [[nodiscard]] bool gap_is_reached() const;
  [[nodiscard]] uint64_t names(const CommandLayout& layout) const;

  const Sizes sizes_;
  std::vector<std::optional<Object>> slots_;
  std::vector<ActiveSession> active_;
  std::map<uint32_t, Object> persistent_;
  uint64_t session_contexts_ = 0;
  uint64_t object_contexts_ = 0;
  uint64_t owner_proof_ = 1;
  uint32_t resets_ = 1;
  uint32_t restarts_ = 0;
  uint64_t executed_ = 0;
};

}  // namespace vtpm
