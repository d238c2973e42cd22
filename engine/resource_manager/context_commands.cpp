#include "engine/resource_manager/context_commands.h"

#include "engine/command/marshal.h"
#include "engine/resource_manager/capabilities.h"
#include "engine/resource_manager/codes.h"
#include "engine/resource_manager/context.h"

namespace vtpm {
namespace {

Bytes done() {
  return tpm2_response(rc::success);
}

// What the TPM said to a command of ours, to the client whose command it was for. That there is no
// room is what the resource manager says: the TPM's word for it would mean the client's own.
Bytes passed_on(ResponseCode code) {
  return is_memory_warning(code) ? own_error(code) : error_response(TpmVersion::tpm20, code);
}

}  // namespace

std::optional<Bytes> ContextCommands::answer(const Command& command, const CommandLayout& layout) {
  bool saves_session = command.code() == cc::context_save && !layout.handles().empty() &&
                       is_session(layout.handles().front());
  if (command.code() != cc::flush_context && command.code() != cc::context_load && !saves_session) {
    return {};
  }
  if (has_sessions(command)) {
    return own_error(rc::auth_context);
  }
  if (command.code() == cc::context_load) {
    return load_session(layout.parameters());
  }
  size_t expected = saves_session ? 0 : sizeof(uint32_t);
  if (layout.parameters().size() != expected) {
    return own_error(rc::size);
  }
  return saves_session ? save_session(TpmHandle{layout.handles().front()})
                       : flush(BigEndianReader(layout.parameters()).u32());
}

Bytes ContextCommands::flush(uint32_t handle) {
  if (is_transient(handle)) {
    return flush_object(handle);
  }
  // All else cannot be flushed, says the TPM.
  return is_session(handle) ? flush_session(TpmHandle{handle}) : own_error(rc::parameter_handle);
}

Bytes ContextCommands::flush_object(uint32_t handle) {
  Object* object = space_.find_object(handle);
  if (object == nullptr) {
    return own_error(rc::parameter_handle);
  }
  if (object->loaded) {
    auto flushed = parts_.residency.own().flush(*object->loaded);
    if (!flushed && !is_format_one(flushed.error())) {
      return passed_on(flushed.error());
    }
  }
  parts_.residency.forget(space_, *object);
  return done();
}

Bytes ContextCommands::flush_session(TpmHandle handle) {
  Session* session = space_.find_session(handle);
  if (session == nullptr) {
    auto flushed = parts_.residency.parked().flush(handle, space_);
    if (!flushed && flushed.error() == rc::parameter_handle) {
      return own_error(rc::parameter_handle);
    }
    return flushed ? done() : passed_on(flushed.error());
  }
  auto flushed = parts_.residency.own().flush(handle);
  if (!flushed && !is_format_one(flushed.error())) {
    return passed_on(flushed.error());
  }
  parts_.residency.forget(space_, *session);
  return done();
}

Bytes ContextCommands::save_session(TpmHandle handle) {
  Session* session = space_.find_session(handle);
  if (session == nullptr) {
    return own_error(unknown_handle(0));
  }
  parts_.residency.note_used(*session);
  auto saved = session->is_given ? parts_.residency.bring_in(*session) : Answer<void>();
  if (saved) {
    saved = parts_.residency.save(*session);
  }
  if (session->gone()) {
    parts_.residency.forget(space_, *session);
    return own_error(unknown_handle(0));
  }
  if (!saved) {
    return passed_on(saved.error() == rc::context_gap ? rc::session_memory : saved.error());
  }
  Bytes response = tpm2_response(rc::success, session->context.get());
  parts_.residency.parked().park(parts_.residency.forget(space_, *session), space_);
  return response;
}

// A session that the resource manager knows needs no load before it is used. One that it does not
// know was saved on the raw node, or before this process began.
std::optional<Bytes> ContextCommands::load_session(ByteView context) {
  ContextLabel label(context);
  if (!is_session(label.handle)) {
    return {};
  }
  if (parts_.limits.owns_too_many_sessions(space_)) {
    return own_error(rc::session_memory);
  }
  parts_.residency.make_place(space_);
  if (auto session = parts_.residency.parked().take(context)) {
    auto handle = static_cast<uint32_t>(parts_.residency.adopt(space_, std::move(session)).handle);
    return tpm2_response(rc::success, BigEndianWriter().u32(handle).take());
  }
  TpmHandle handle{label.handle};
  if (parts_.spaces.find_owner(handle) != nullptr || parts_.residency.parked().has(handle)) {
    return own_error(rc::parameter_handle);
  }
  return {};
}

}  // namespace vtpm
