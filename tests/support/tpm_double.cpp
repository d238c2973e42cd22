#include "tests/support/tpm_double.h"

#include <algorithm>

#include "engine/command/command_traits.h"
#include "engine/command/marshal.h"
#include "tests/support/space_commands.h"

namespace vtpm {
namespace {

constexpr ResponseCode kNoSequence{0x189};    // TPM_RC_MODE, handle 1
constexpr ResponseCode kIsSequence{0x103};    // TPM_RC_SEQUENCE
constexpr ResponseCode kWrongType{0x184};     // TPM_RC_VALUE, handle 1
constexpr ResponseCode kWrongHandle{0x18B};   // TPM_RC_HANDLE, handle 1
constexpr ResponseCode kIntegrity{0x1DF};     // parameter 1
constexpr ResponseCode kWrongSession{0x984};  // TPM_RC_VALUE, session 1
constexpr uint64_t kSecret = 0x5eed;

// FNV-1a.
class Mix {
 public:
  Mix& add(ByteView bytes) {
    for (std::byte b : bytes) {
      value_ = (value_ ^ std::to_integer<uint64_t>(b)) * 0x100000001b3;
    }
    return *this;
  }
  Mix& add(uint64_t value) { return add(BigEndianWriter().u64(value).take()); }
  [[nodiscard]] uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

Bytes number(uint64_t value) {
  return BigEndianWriter().u64(value).take();
}

bool is_persistent(uint32_t handle) {
  return handle_type(handle) == 0x81;
}

}  // namespace

struct TpmDouble::Context {
  uint64_t count;
  uint32_t label;
  uint32_t hierarchy;
  uint64_t content;
  uint64_t proof;
};

TpmDouble::TpmDouble(Sizes sizes)
    : sizes_(sizes), slots_(sizes.objects), active_(sizes.active_sessions) {}

const std::vector<CommandCode>& TpmDouble::commands() {
  static const std::vector<CommandCode> all = {cc::evict_control,
                                               cc::clear,
                                               cc::create_primary,
                                               cc::sequence_complete,
                                               cc::startup,
                                               cc::shutdown,
                                               cc::create,
                                               cc::hmac,
                                               cc::load,
                                               cc::hmac_start,
                                               cc::sequence_update,
                                               cc::context_load,
                                               cc::context_save,
                                               cc::flush_context,
                                               cc::load_external,
                                               cc::policy_command_code,
                                               cc::read_public,
                                               cc::start_auth_session,
                                               cc::get_capability,
                                               cc::get_random,
                                               cc::policy_restart,
                                               cc::read_clock,
                                               cc::event_sequence_complete,
                                               cc::hash_sequence_start,
                                               cc::policy_get_digest,
                                               cc::create_loaded};
  return all;
}

Bytes TpmDouble::transmit(const Command& command, const Ticket& /*ticket*/) {
  ++executed_;
  if (!has_tpm2_tag(command)) {
    return error_response(TpmVersion::tpm20, ResponseCode{0x1E});  // TPM_RC_BAD_TAG
  }
  if (std::ranges::find(commands(), command.code()) == commands().end()) {
    return error_response(TpmVersion::tpm20, rc::command_code);
  }
  CommandTraits traits = traits_of(TpmVersion::tpm20, command.code());
  auto layout = CommandLayout::read(command, {.handles = traits.handles,
                                              .returns_handle = traits.returns_handle,
                                              .flushes = traits.flushes});
  ResponseCode code = layout ? check(*layout) : layout.error();
  if (code != rc::success) {
    return error_response(TpmVersion::tpm20, code);
  }
  Done done = run(command.code(), *layout);
  return done.code == rc::success ? respond(command, *layout, std::move(done))
                                  : error_response(TpmVersion::tpm20, done.code);
}

ResponseCode TpmDouble::check(const CommandLayout& layout) const {
  for (size_t i = 0; i < layout.handles().size(); ++i) {
    uint32_t handle = layout.handles()[i];
    if ((is_transient(handle) && !find_object(handle)) ||
        (is_session(handle) && !session_is_loaded(handle))) {
      return unknown_handle(i);
    }
    if (is_persistent(handle) && !persistent_.contains(handle)) {
      return kWrongHandle;
    }
  }
  for (size_t i = 0; i < layout.sessions().size(); ++i) {
    auto handle = static_cast<uint32_t>(layout.sessions()[i].handle);
    if (is_session(handle) && !session_is_loaded(handle)) {
      return unknown_session(i);
    }
    if (!is_session(handle) && handle != 0x40000009) {
      return kWrongSession;
    }
  }
  return rc::success;
}

uint64_t TpmDouble::names(const CommandLayout& layout) const {
  Mix mix;
  for (uint32_t handle : layout.handles()) {
    auto object = find_object(handle);
    mix.add(object && !object->is_sequence ? object->content : 0);
  }
  return mix.value();
}

// Sessions roll on, or end.
Bytes TpmDouble::respond(const Command& command, const CommandLayout& layout, Done done) {
  BigEndianWriter writer;
  if (done.handle) {
    writer.u32(*done.handle);
  }
  if (layout.sessions().empty()) {
    return tpm2_response(rc::success, writer.bytes(done.parameters).take());
  }
  writer.u32(static_cast<uint32_t>(done.parameters.size())).bytes(done.parameters);
  for (const SessionUse& use : layout.sessions()) {
    uint64_t nonce = 0;
    ActiveSession& active = active_.at(session_index(use.handle) % active_.size());
    if (is_session(static_cast<uint32_t>(use.handle)) && active.loaded) {
      nonce = active.loaded->state = Mix()
                                         .add(active.loaded->state)
                                         .add(static_cast<uint64_t>(command.code()))
                                         .add(layout.parameters())
                                         .add(names(layout))
                                         .value();
      if (!use.continues) {
        active = {};
      }
    }
    writer.u16(sizeof(uint64_t)).u64(nonce).u8(use.continues ? 1 : 0).u16(0);
  }
  Bytes response = tpm2_response(rc::success, writer.take());
  response.at(1) = std::byte{0x02};
  return response;
}

TpmDouble::Done TpmDouble::run(CommandCode code, const CommandLayout& layout) {
  BigEndianReader parameters(layout.parameters());
  switch (code) {
    case cc::startup:
      return {rc::initialize};
    case cc::shutdown:
      return {};
    case cc::get_random:
      return {.parameters = sized(Bytes(8, std::byte{0x52}))};
    case cc::read_clock:
      return {.parameters =
                  BigEndianWriter().u64(0).u64(0).u32(resets_).u32(restarts_).u8(1).take()};
    case cc::get_capability:
      return get_capability(layout.parameters());
    case cc::clear:
      return clear();
    case cc::flush_context:
      return flush(parameters.u32());
    case cc::context_save:
      return save(layout.handles()[0]);
    case cc::context_load:
      return load(layout.parameters());
    case cc::start_auth_session:
      return start_session(layout);
    case cc::policy_command_code:
    case cc::policy_restart:
    case cc::policy_get_digest:
      return run_session_command(code, layout);
    case cc::hash_sequence_start:
    case cc::hmac_start:
    case cc::sequence_update:
    case cc::sequence_complete:
    case cc::event_sequence_complete:
      return run_sequence_command(code, layout);
    default:
      return run_object_command(code, layout);
  }
}

TpmDouble::Done TpmDouble::run_object_command(CommandCode code, const CommandLayout& layout) {
  if (code == cc::load_external) {
    return add({Mix().add(layout.parameters()).value(), kNullHierarchy, false});
  }
  uint32_t handle = layout.handles()[0];
  if (code == cc::create_primary) {
    return add({Mix().add(handle).add(layout.parameters()).value(), handle, false});
  }
  if (code == cc::evict_control) {
    return evict_control(layout);
  }
  auto object = find_object(handle);
  if (!object) {
    return {kWrongType};
  }
  if (object->is_sequence) {
    return {kIsSequence};
  }
  bool takes_a_slot = is_persistent(handle) || code == cc::create;
  if (takes_a_slot && loaded_objects() == slots_.size()) {
    return {rc::object_memory};
  }
  uint64_t result = Mix().add(object->content).add(layout.parameters()).value();
  switch (code) {
    case cc::load:
    case cc::create_loaded:
      return add({result, object->hierarchy, false});
    case cc::create:
    case cc::hmac:
      return {.parameters = number(result)};
    default:  // read_public
      return {.parameters = number(object->content)};
  }
}

TpmDouble::Done TpmDouble::evict_control(const CommandLayout& layout) {
  auto object = find_object(layout.handles()[1]);
  uint32_t name = BigEndianReader(layout.parameters()).u32();
  if (!object || object->is_sequence || !is_persistent(name)) {
    return {kWrongType};
  }
  if (is_persistent(layout.handles()[1])) {
    persistent_.erase(layout.handles()[1]);
  } else if (!persistent_.emplace(name, *object).second) {
    return {ResponseCode{0x14C}};  // TPM_RC_NV_DEFINED
  }
  return {};
}

TpmDouble::Done TpmDouble::run_sequence_command(CommandCode code, const CommandLayout& layout) {
  if (code == cc::hash_sequence_start) {
    return add({Mix().add(layout.parameters()).value(), kNullHierarchy, true});
  }
  if (code == cc::hmac_start) {
    auto key = find_object(layout.handles()[0]);
    return !key || key->is_sequence || is_persistent(layout.handles()[0])
               ? Done{kWrongType}
               : add({Mix().add(key->content).value(), kNullHierarchy, true});
  }
  uint32_t handle = layout.handles().back();
  auto sequence = find_object(handle);
  if (!is_transient(handle) || !sequence || !sequence->is_sequence) {
    return {kNoSequence};
  }
  uint64_t content = Mix().add(sequence->content).add(layout.parameters()).value();
  if (code == cc::sequence_update) {
    loaded(handle).content = content;
    return {};
  }
  slots_.at(handle & 0xFFFFFF).reset();
  return {.parameters = number(content)};
}

TpmDouble::Done TpmDouble::run_session_command(CommandCode code, const CommandLayout& layout) {
  uint32_t handle = layout.handles()[0];
  if (handle_type(handle) != 0x03) {
    return {kWrongType};
  }
  Session& session = *active_.at(handle & 0xFFFFFF).loaded;
  if (code == cc::policy_command_code) {
    session.state = Mix().add(session.state).add(layout.parameters()).value();
  } else if (code == cc::policy_restart) {
    session.state = 0;
  } else {
    return {.parameters = number(session.state)};
  }
  return {};
}

TpmDouble::Done TpmDouble::add(Object object) {
  auto free = std::ranges::find_if(slots_, [](const auto& one) { return !one.has_value(); });
  if (free == slots_.end()) {
    return {rc::object_memory};
  }
  *free = object;
  auto handle = static_cast<uint32_t>(kFirstTransient + (free - slots_.begin()));
  return {.handle = handle, .parameters = number(object.content)};
}

TpmDouble::Done TpmDouble::start_session(const CommandLayout& layout) {
  if (loaded_sessions() == sizes_.sessions) {
    return {rc::session_memory};
  }
  if (loaded_sessions() + 1 == sizes_.sessions && gap_is_reached()) {
    return {rc::context_gap};
  }
  auto free = std::ranges::find_if(active_, &ActiveSession::free);
  if (free == active_.end()) {
    return {rc::session_handles};
  }
  BigEndianReader reader(layout.parameters());
  reader.bytes(reader.u16());  // nonce
  reader.bytes(reader.u16());  // salt
  uint32_t type = reader.u8() == 0 ? 0x02000000 : 0x03000000;
  uint64_t state = Mix().add(layout.parameters()).add(names(layout)).value();
  uint32_t handle = type + static_cast<uint32_t>(free - active_.begin());
  free->loaded = Session{state, handle};
  return {.handle = handle, .parameters = sized(number(state))};
}

TpmDouble::Done TpmDouble::flush(uint32_t handle) {
  if (is_transient(handle) && find_object(handle)) {
    slots_.at(handle & 0xFFFFFF).reset();
    return {};
  }
  size_t index = handle & 0xFFFFFF;
  if (is_session(handle) && index < active_.size() &&
      (session_is_loaded(handle) || active_[index].saved != 0)) {
    active_[index] = {};
    return {};
  }
  return {rc::parameter_handle};
}

TpmDouble::Done TpmDouble::save(uint32_t handle) {
  if (is_session(handle)) {
    if (gap_is_reached()) {
      return {rc::context_gap};
    }
    ActiveSession& active = active_.at(handle & 0xFFFFFF);
    Context context{++session_contexts_, handle, kNullHierarchy, active.loaded->state, resets_};
    active = {.loaded = {}, .saved = context.count};
    return {.parameters = seal(context)};
  }
  auto object = find_object(handle);
  if (!object || is_persistent(handle)) {
    return {kWrongType};
  }
  uint64_t proof = object->hierarchy == kOwnerHierarchy ? owner_proof_ : resets_;
  return {.parameters = seal({++object_contexts_, kFirstTransient + (object->is_sequence ? 1U : 0U),
                              object->hierarchy, object->content, proof})};
}

Bytes TpmDouble::seal(const Context& context) const {
  Bytes outside =
      BigEndianWriter().u64(context.count).u32(context.label).u32(context.hierarchy).take();
  uint64_t sum = Mix().add(kSecret).add(outside).add(context.content).add(context.proof).value();
  return BigEndianWriter()
      .bytes(outside)
      .u16(3 * sizeof(uint64_t))
      .u64(context.content ^ kSecret)
      .u64(context.proof)
      .u64(sum)
      .take();
}

TpmDouble::Done TpmDouble::load(ByteView bytes) {
  BigEndianReader reader(bytes);
  Context context{reader.u64(), reader.u32(), reader.u32(), 0, 0};
  reader.u16();
  context.content = reader.u64() ^ kSecret;
  context.proof = reader.u64();
  if (!std::ranges::equal(seal(context), bytes)) {
    return {kIntegrity};
  }
  return is_session(context.label) ? load_session(context) : load_object(context);
}

TpmDouble::Done TpmDouble::load_object(const Context& context) {
  uint64_t proof = context.hierarchy == kOwnerHierarchy ? owner_proof_ : resets_;
  if (context.proof != proof) {
    return {kIntegrity};
  }
  Done done = add({context.content, context.hierarchy, context.label == kFirstTransient + 1});
  done.parameters.clear();
  return done;
}

TpmDouble::Done TpmDouble::load_session(const Context& context) {
  size_t index = context.label & 0xFFFFFF;
  if (context.proof != resets_ || index >= active_.size() ||
      active_[index].saved != context.count) {
    return {rc::parameter_handle};
  }
  if (loaded_sessions() == sizes_.sessions) {
    return {rc::session_memory};
  }
  if (loaded_sessions() + 1 == sizes_.sessions && gap_is_reached() &&
      context.count != oldest_saved()) {
    return {rc::context_gap};
  }
  active_[index] = {.loaded = Session{context.content, context.label}};
  return {.handle = context.label};
}

TpmDouble::Done TpmDouble::clear() {
  ++owner_proof_;
  for (auto& slot : slots_) {
    if (slot && slot->hierarchy == kOwnerHierarchy) {
      slot.reset();
    }
  }
  std::erase_if(persistent_,
                [](const auto& one) { return one.second.hierarchy == kOwnerHierarchy; });
  return {};
}

TpmDouble::Done TpmDouble::get_capability(ByteView parameters) {
  BigEndianReader reader(parameters);
  uint32_t what = reader.u32();
  uint32_t first = reader.u32();
  uint32_t count = reader.u32();
  BigEndianWriter writer;
  if (what == capability::kHandles) {
    return {.parameters = list_handles(first, count)};
  }
  if (what == capability::kCommands) {
    writer.u8(0).u32(what).u32(static_cast<uint32_t>(commands().size()));
    for (CommandCode code : commands()) {
      CommandTraits traits = traits_of(TpmVersion::tpm20, code);
      writer.u32(static_cast<uint32_t>(code) | uint32_t{traits.handles} << 25 |
                 (traits.returns_handle ? 1U << 28 : 0) | (traits.flushes ? 1U << 24 : 0));
    }
    return {.parameters = writer.take()};
  }
  uint32_t value = first == property::kContextGapMax       ? sizes_.context_gap
                   : first == property::kActiveSessionsMax ? static_cast<uint32_t>(active_.size())
                                                           : 0;
  return {.parameters = writer.u8(0).u32(what).u32(1).u32(first).u32(value).take()};
}

Bytes TpmDouble::list_handles(uint32_t first, uint32_t count) const {
  std::vector<uint32_t> all;
  for (size_t i = 0; i < slots_.size() && is_transient(first); ++i) {
    if (slots_[i]) {
      all.push_back(kFirstTransient + static_cast<uint32_t>(i));
    }
  }
  for (size_t i = 0; i < active_.size() && is_session(first); ++i) {
    bool wants_saved = handle_type(first) == 0x03;
    if (!active_[i].free() && (active_[i].saved != 0) == wants_saved) {
      all.push_back(wants_saved ? 0x02000000 + static_cast<uint32_t>(i)
                                : active_[i].loaded->handle);
    }
  }
  size_t shown = std::min<size_t>(all.size(), count);
  BigEndianWriter writer;
  writer.u8(all.size() > shown ? 1 : 0).u32(capability::kHandles).u32(static_cast<uint32_t>(shown));
  for (size_t i = 0; i < shown; ++i) {
    writer.u32(all[i]);
  }
  return writer.take();
}

std::optional<TpmDouble::Object> TpmDouble::find_object(uint32_t handle) const {
  if (is_persistent(handle)) {
    auto found = persistent_.find(handle);
    return found == persistent_.end() ? std::nullopt : std::optional(found->second);
  }
  size_t index = handle & 0xFFFFFF;
  return is_transient(handle) && index < slots_.size() ? slots_[index] : std::nullopt;
}

bool TpmDouble::session_is_loaded(uint32_t handle) const {
  size_t index = handle & 0xFFFFFF;
  return index < active_.size() && active_[index].loaded && active_[index].loaded->handle == handle;
}

uint64_t TpmDouble::oldest_saved() const {
  uint64_t oldest = 0;
  for (const ActiveSession& one : active_) {
    if (one.saved != 0 && (oldest == 0 || one.saved < oldest)) {
      oldest = one.saved;
    }
  }
  return oldest;
}

bool TpmDouble::gap_is_reached() const {
  uint64_t oldest = oldest_saved();
  return oldest != 0 && session_contexts_ - oldest >= sizes_.context_gap;
}

size_t TpmDouble::loaded_objects() const {
  return static_cast<size_t>(
      std::ranges::count_if(slots_, [](const auto& one) { return one.has_value(); }));
}

size_t TpmDouble::loaded_sessions() const {
  return static_cast<size_t>(
      std::ranges::count_if(active_, [](const auto& one) { return one.loaded.has_value(); }));
}

size_t TpmDouble::active_sessions() const {
  return static_cast<size_t>(
      std::ranges::count_if(active_, [](const auto& one) { return !one.free(); }));
}

void TpmDouble::reset() {
  ++resets_;
  slots_.assign(slots_.size(), {});
  active_.assign(active_.size(), {});
  session_contexts_ = 0;
}

void TpmDouble::resume() {
  ++restarts_;
  slots_.assign(slots_.size(), {});
  for (ActiveSession& one : active_) {
    one.loaded.reset();
  }
}

}  // namespace vtpm
