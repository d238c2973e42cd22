#include "engine/resource_manager/resource_manager.h"

#include <exception>

#include "engine/resource_manager/capabilities.h"
#include "engine/resource_manager/codes.h"
#include "engine/resource_manager/context_commands.h"
#include "engine/resource_manager/handles.h"
#include "engine/resource_manager/hierarchies.h"
#include "engine/resource_manager/space_command.h"
#include "engine/resource_manager/tpm_facts.h"

namespace vtpm {

class ResourceManager::Core {
 public:
  Core(CommandPort& tpm, const ResourceManagerOptions& options)
      : tpm_(tpm), residency_(tpm, options.parked_sessions), limits_(options, spaces_) {}

  Bytes execute(SpaceTables& space, const Command& command, const Ticket& ticket);
  Bytes execute_raw(const Command& command, const Ticket& ticket);
  void close(Spaces::Handle space) noexcept;

  void power_changed() { facts_.power_changed(); }
  void forget_all();
  void yield_slots();

  Spaces& spaces() { return spaces_; }

 private:
  Answer<void> learn();
  Bytes answer(SpaceTables& space, const Command& command, const Ticket& ticket);
  Bytes execute_known(SpaceTables& space, const Command& command, const Ticket& ticket);
  void note_raw(const Command& command, ByteView response);

  CommandPort& tpm_;
  Spaces spaces_;
  Residency residency_;
  Upkeep upkeep_{residency_, spaces_};
  Limits limits_;
  TpmFacts facts_;
};

class ResourceManager::SpacePort final : public CommandPort {
 public:
  SpacePort(Core& core, SpaceOwner peer) : core_(core), space_(core.spaces().open(peer)) {}
  SpacePort(const SpacePort&) = delete;
  SpacePort& operator=(const SpacePort&) = delete;
  ~SpacePort() override { core_.close(space_); }

  Bytes transmit(const Command& command, const Ticket& ticket) override {
    return core_.execute(*space_, command, ticket);
  }

 private:
  Core& core_;
  const Spaces::Handle space_;
};

class ResourceManager::RawPort final : public CommandPort {
 public:
  explicit RawPort(Core& core) : core_(core) {}

  Bytes transmit(const Command& command, const Ticket& ticket) override {
    return core_.execute_raw(command, ticket);
  }

 private:
  Core& core_;
};

Bytes ResourceManager::Core::execute(SpaceTables& space, const Command& command,
                                     const Ticket& ticket) {
  ++space.commands;
  Bytes response = answer(space, command, ticket);
  spaces_.show(space);
  return response;
}

// A TPM that is not started, or in failure mode, does nothing that a command could do to others; it
// says itself what it is.
Bytes ResourceManager::Core::answer(SpaceTables& space, const Command& command,
                                    const Ticket& ticket) {
  if (!command.has_header() || !has_tpm2_tag(command)) {
    return tpm_.transmit(command, ticket);
  }
  if (auto learned = learn(); !learned) {
    bool is_harmless = learned.error() == rc::initialize || learned.error() == rc::failure;
    return is_harmless ? tpm_.transmit(command, ticket)
                       : error_response(TpmVersion::tpm20, learned.error());
  }
  upkeep_.flush_closed();
  ByteView bytes = command.bytes();
  if (command.declared_size() < bytes.size()) {
    return execute_known(space, Command(bytes.first(command.declared_size())), ticket);
  }
  return execute_known(space, command, ticket);
}

Answer<void> ResourceManager::Core::learn() {
  if (facts_.known()) {
    return {};
  }
  auto left = facts_.learn(residency_.own());
  if (!left) {
    return tl::unexpected(left.error());
  }
  residency_.sessions().set_gap(facts_.context_gap());
  limits_.set_active_sessions(facts_.active_sessions());
  upkeep_.after_power_cycle(*left);
  return {};
}

Bytes ResourceManager::Core::execute_known(SpaceTables& space, const Command& command,
                                           const Ticket& ticket) {
  auto attributes = facts_.commands().find(command.code());
  if (!attributes) {
    return own_error(rc::command_code);
  }
  auto layout = CommandLayout::read(command, *attributes);
  if (!layout) {
    return own_error(layout.error());
  }
  residency_.begin(space);
  Parts parts{residency_, limits_, upkeep_, spaces_};
  if (auto answer = ContextCommands(parts, space).answer(command, *layout)) {
    return std::move(*answer);
  }
  return SpaceCommand(parts, space, command, *layout).run(ticket);
}

Bytes ResourceManager::Core::execute_raw(const Command& command, const Ticket& ticket) {
  yield_slots();
  Bytes response = tpm_.transmit(command, ticket);
  residency_.objects().forget_full();
  residency_.sessions().forget_full();
  if (command.has_header() && response_code(response) == rc::success) {
    note_raw(command, response);
  }
  return response;
}

// What the raw node does to sessions and hierarchies is done to spaces as well.
void ResourceManager::Core::note_raw(const Command& command, ByteView response) {
  BigEndianReader parameters(command.bytes().subspan(kHeaderSize));
  BigEndianReader answer(response.subspan(kHeaderSize));
  auto forget_session = [&](uint32_t handle) {
    if (is_session(handle)) {
      upkeep_.after_loss_of(TpmHandle{handle});
    }
  };
  switch (command.code()) {
    case cc::flush_context:
      forget_session(parameters.u32());
      break;
    case cc::start_auth_session:
    case cc::context_load:
      forget_session(answer.u32());
      break;
    default:
      if (auto layout = CommandLayout::read(command, {.handles = 1})) {
        upkeep_.after_end_of(hierarchies_ended_by(command, *layout));
      }
  }
}

// What cannot be flushed now is tried before the next command.
void ResourceManager::Core::close(Spaces::Handle space) noexcept {
  spaces_.close(space);
  try {
    if (facts_.known()) {
      upkeep_.flush_closed();
    }
  } catch (const std::exception&) {
    return;
  }
}

// Handles from before a power cycle may be somebody else's by now.
void ResourceManager::Core::yield_slots() {
  if (residency_.has_loaded() && learn()) {
    residency_.evict_all();
  }
}

void ResourceManager::Core::forget_all() {
  upkeep_.forget_all();
  facts_.forget();
}

ResourceManager::ResourceManager(CommandPort& tpm, ResourceManagerOptions options)
    : core_(std::make_unique<Core>(tpm, options)), raw_(std::make_unique<RawPort>(*core_)) {}

ResourceManager::~ResourceManager() = default;

std::unique_ptr<CommandPort> ResourceManager::open_space(SpaceOwner peer) {
  return std::make_unique<SpacePort>(*core_, peer);
}

void ResourceManager::yield_slots() {
  core_->yield_slots();
}

void ResourceManager::power_changed() {
  core_->power_changed();
}

void ResourceManager::forget_all() {
  core_->forget_all();
}

std::vector<SpaceStatus> ResourceManager::snapshot() const {
  return core_->spaces().statuses();
}

}  // namespace vtpm
