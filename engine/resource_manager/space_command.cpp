#include "engine/resource_manager/space_command.h"

#include <algorithm>

#include "engine/resource_manager/capabilities.h"
#include "engine/resource_manager/codes.h"
#include "engine/resource_manager/context.h"
#include "engine/resource_manager/hierarchies.h"

namespace vtpm {
namespace {

constexpr std::ptrdiff_t kFirstHandle = kHeaderSize;  // in commands and responses

template <class Iterator>
void write_handle(Iterator at, uint32_t handle) {
  std::ranges::copy(BigEndianWriter().u32(handle).take(), at);
}

}  // namespace

SpaceCommand::SpaceCommand(const Parts& parts, SpaceTables& space, const Command& command,
                           const CommandLayout& layout)
    : parts_(parts),
      space_(space),
      command_(command),
      layout_(layout),
      filter_(space, parts.limits, parts.residency.parked()) {}

Bytes SpaceCommand::run(const Ticket& ticket) {
  for (auto step : {&SpaceCommand::resolve, &SpaceCommand::bring_in}) {
    if (ResponseCode code = (this->*step)(); code != rc::success) {
      return error_response(TpmVersion::tpm20, code);
    }
  }
  Bytes response = send(ticket);
  if (ResponseCode code = response_code(response); code == rc::success) {
    follow_success(response);
  } else if (code == rc::context_gap) {
    return own_error(rc::session_memory);
  } else {
    follow_failure(code);
  }
  return response;
}

ResponseCode SpaceCommand::resolve() {
  if (ResponseCode code = resolve_handles(); code != rc::success) {
    return layered(code);
  }
  if (ResponseCode code = resolve_sessions(); code != rc::success) {
    return layered(code);
  }
  if (filter_.concerns(command_, layout_) && has_sessions(command_)) {
    return layered(rc::auth_context);
  }
  ResponseCode code = check_limits();
  return code == rc::success ? code : layered(code);
}

ResponseCode SpaceCommand::resolve_handles() {
  for (size_t i = 0; i < layout_.handles().size(); ++i) {
    uint32_t handle = layout_.handles()[i];
    if (is_transient(handle)) {
      objects_.at(i) = space_.find_object(handle);
    } else if (is_session(handle)) {
      sessions_.at(i) = space_.find_session(TpmHandle{handle});
    } else {
      continue;
    }
    if (objects_.at(i) == nullptr && sessions_.at(i) == nullptr) {
      return unknown_handle(i);
    }
  }
  return rc::success;
}

ResponseCode SpaceCommand::resolve_sessions() {
  for (size_t i = 0; i < layout_.sessions().size(); ++i) {
    TpmHandle handle = layout_.sessions()[i].handle;
    if (!is_session(static_cast<uint32_t>(handle))) {
      continue;  // the password's, or what the TPM refuses
    }
    authorizing_.at(i) = space_.find_session(handle);
    if (authorizing_.at(i) == nullptr) {
      return unknown_session(i);
    }
  }
  return rc::success;
}

bool SpaceCommand::returns_session() const {
  return command_.code() == cc::start_auth_session ||
         (command_.code() == cc::context_load &&
          is_session(ContextLabel(layout_.parameters()).handle));
}

ResponseCode SpaceCommand::check_limits() const {
  if (!layout_.attributes().returns_handle) {
    return rc::success;
  }
  if (returns_session()) {
    return parts_.may_have_session(space_) ? rc::success : rc::session_memory;
  }
  return parts_.may_have_object(space_) ? rc::success : rc::object_memory;
}

// What would be lost if it were loaded while the command runs is saved out before.
void SpaceCommand::prepare() {
  ended_hierarchies_ = hierarchies_ended_by(command_, layout_);
  if (!ended_hierarchies_.empty()) {
    parts_.residency.evict_objects();
  } else if (command_.code() == cc::shutdown) {
    parts_.residency.evict_all();
  }
}

void SpaceCommand::make_place() {
  if (layout_.attributes().returns_handle) {
    parts_.residency.make_place(space_);
    new_object_ = std::make_unique<Object>();
    new_session_ = std::make_unique<Session>();
  }
}

ResponseCode SpaceCommand::bring_in() {
  auto note = [&](auto* one) {
    if (one != nullptr) {
      parts_.residency.note_used(*one);
    }
  };
  std::ranges::for_each(objects_, note);
  std::ranges::for_each(sessions_, note);
  std::ranges::for_each(authorizing_, note);
  prepare();
  for (size_t i = 0; i < objects_.size(); ++i) {
    ResponseCode code = bring_in(objects_.at(i), unknown_handle(i));
    if (code == rc::success) {
      code = bring_in(sessions_.at(i), unknown_handle(i));
    }
    if (code != rc::success) {
      return code;
    }
  }
  for (size_t i = 0; i < authorizing_.size(); ++i) {
    ResponseCode code = bring_in(authorizing_.at(i), unknown_session(i));
    if (code != rc::success) {
      return code;
    }
  }
  return rc::success;
}

template <class T>
ResponseCode SpaceCommand::bring_in(T*& wanted, ResponseCode unknown) {
  if (wanted == nullptr) {
    return rc::success;
  }
  if (auto loaded = parts_.residency.bring_in(*wanted); !loaded && !wanted->gone()) {
    ResponseCode code = loaded.error() == rc::context_gap ? rc::session_memory : loaded.error();
    return is_memory_warning(code) ? layered(code) : code;
  }
  if (wanted->gone()) {
    parts_.residency.forget(space_, *wanted);
    return layered(unknown);
  }
  return rc::success;
}

Bytes SpaceCommand::send(const Ticket& ticket) {
  make_place();
  if (std::ranges::all_of(objects_, [](Object* one) { return one == nullptr; })) {
    return parts_.residency.send(command_, ticket);
  }
  Bytes bytes(command_.bytes().begin(), command_.bytes().end());
  for (size_t i = 0; i < objects_.size(); ++i) {
    if (Object* object = objects_.at(i)) {
      if (command_.code() != cc::context_save) {
        ObjectSlots::expect_change(*object);
      }
      write_handle(bytes.begin() + kFirstHandle + static_cast<std::ptrdiff_t>(i * 4),
                   static_cast<uint32_t>(*object->loaded));
    }
  }
  WipedBytes with_real_handles(std::move(bytes));  // it may hold passwords
  return parts_.residency.send(Command(with_real_handles.get()), ticket);
}

void SpaceCommand::follow_success(Bytes& response) {
  if (command_.code() == cc::context_save) {
    keep_context(response);
  }
  forget_flushed();
  if (layout_.attributes().returns_handle) {
    adopt(response);
  }
  parts_.upkeep.after_end_of(ended_hierarchies_);
  if (filter_.concerns(command_, layout_)) {
    filter_.apply(layout_, response);
  }
}

// The TPM does not have what it had to have.
void SpaceCommand::follow_failure(ResponseCode code) {
  for (size_t i = 0; i < objects_.size(); ++i) {
    if (code == unknown_handle(i) && objects_.at(i) != nullptr) {
      parts_.residency.forget(space_, *objects_.at(i));
    } else if (code == unknown_handle(i) && sessions_.at(i) != nullptr) {
      parts_.residency.forget(space_, *sessions_.at(i));
    }
  }
  for (size_t i = 0; i < authorizing_.size(); ++i) {
    if (code == unknown_session(i) && authorizing_.at(i) != nullptr) {
      parts_.residency.forget(space_, *authorizing_.at(i));
    }
  }
}

void SpaceCommand::adopt(Bytes& response) {
  BigEndianReader reader(ByteView(response).subspan(std::min(response.size(), kHeaderSize)));
  uint32_t handle = reader.u32();
  if (!reader.ok()) {
    return;
  }
  if (is_transient(handle)) {
    adopt_object(response, TpmHandle{handle});
  } else if (is_session(handle)) {
    adopt_session(TpmHandle{handle});
  }
}

void SpaceCommand::adopt_object(Bytes& response, TpmHandle handle) {
  Object& object = parts_.residency.adopt(space_, std::move(new_object_), handle);
  write_handle(response.begin() + kFirstHandle, static_cast<uint32_t>(object.name));
  if (command_.code() == cc::context_load) {
    ByteView context = layout_.parameters();
    object.context = WipedBytes(Bytes(context.begin(), context.end()));
  }
}

void SpaceCommand::adopt_session(TpmHandle handle) {
  parts_.upkeep.after_loss_of(handle);  // whoever had it, it is this one's now
  new_session_->handle = handle;
  new_session_->loaded = true;
  parts_.residency.adopt(space_, std::move(new_session_));
}

// What the client was given is as good for the resource manager.
void SpaceCommand::keep_context(ByteView response) {
  if (Object* object = objects_.front(); object != nullptr && object->context.get().empty()) {
    ByteView context = response.subspan(std::min(response.size(), kHeaderSize));
    object->context = WipedBytes(Bytes(context.begin(), context.end()));
  }
}

void SpaceCommand::forget_flushed() {
  for (size_t i = 0; layout_.attributes().flushes && i < objects_.size(); ++i) {
    if (Object* object = objects_.at(i)) {
      std::ranges::replace(objects_, object,
                           static_cast<Object*>(nullptr));  // the same one may be named twice
      parts_.residency.forget(space_, *object);
    }
  }
  for (size_t i = 0; i < layout_.sessions().size(); ++i) {
    Session* session = authorizing_.at(i);
    if (session != nullptr && !layout_.sessions()[i].continues) {
      std::ranges::replace(authorizing_, session, static_cast<Session*>(nullptr));
      parts_.residency.forget(space_, *session);
    }
  }
}

}  // namespace vtpm
