// One command of a space on its way: names resolved, what they mean brought in, sent, and the
// tables brought in line with the answer.
//
//   resolve -> prepare -> bring in -> send (making room) -> follow
//
// Ownership: borrows all; for one command. Threads: under the TPM's lock.
// Errors: the response says it.
#pragma once

#include <array>

#include "engine/resource_manager/capability_filter.h"
#include "engine/resource_manager/command_layout.h"
#include "engine/resource_manager/parts.h"

namespace vtpm {

class SpaceCommand {
 public:
  SpaceCommand(const Parts& parts, SpaceTables& space, const Command& command,
               const CommandLayout& layout);

  Bytes run(const Ticket& ticket);

 private:
  [[nodiscard]] bool returns_session() const;
  // Layered codes of what is refused; success otherwise.
  ResponseCode resolve();
  ResponseCode resolve_handles();
  ResponseCode resolve_sessions();
  [[nodiscard]] ResponseCode check_limits() const;
  void prepare();
  void make_place();
  ResponseCode bring_in();
  template <class T>
  ResponseCode bring_in(T*& wanted, ResponseCode unknown);
  Bytes send(const Ticket& ticket);

  void follow_success(Bytes& response);
  void follow_failure(ResponseCode code);
  void adopt(Bytes& response);
  void adopt_object(Bytes& response, TpmHandle handle);
  void adopt_session(TpmHandle handle);
  void keep_context(ByteView response);
  void forget_flushed();

  Parts parts_;
  SpaceTables& space_;
  const Command& command_;
  const CommandLayout& layout_;
  CapabilityFilter filter_;
  // As the handle area and the session area name them; null: nothing of this space.
  std::array<Object*, 7> objects_{};
  std::array<Session*, 7> sessions_{};
  std::array<Session*, 3> authorizing_{};
  std::vector<uint32_t> ended_hierarchies_;
  // For what the command returns: what was executed must not fail for want of memory.
  std::unique_ptr<Object> new_object_;
  std::unique_ptr<Session> new_session_;
};

}  // namespace vtpm
