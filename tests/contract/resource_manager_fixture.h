// A resource manager on libtpms, which has three slots for objects and three for sessions.
#pragma once

#include <gtest/gtest.h>

#include "engine/resource_manager/resource_manager.h"
#include "engine/tpm/libtpms_engine.h"
#include "tests/support/commands.h"
#include "tests/support/counting_port.h"
#include "tests/support/memory_store.h"
#include "tests/support/must.h"
#include "tests/support/space_client.h"

namespace vtpm {

// The end of a chain: an engine.
class EnginePort final : public CommandPort {
 public:
  explicit EnginePort(Engine& engine) : engine_(engine) {}
  Bytes transmit(const Command& command, const Ticket& ticket) override {
    return to_bytes(engine_.execute(command.bytes(), ticket.locality, ticket.canceled).value());
  }

 private:
  Engine& engine_;
};

class ManagedTpm : public testing::Test {
 protected:
  static constexpr SpaceOwner kPeer{.pid = 100, .uid = 1000};

  ManagedTpm() {
    must(engine_->power_on(StoredVolatile::keep).map([](PoweredOn) {}));
    tpm_.must(tpm2_startup());
  }

  SpaceClient open(SpaceOwner peer = kPeer) { return SpaceClient(manager_.open_space(peer)); }

  // Power is taken and given again.
  void power_cycle(StartupType type) {
    engine_->power_off();
    must(engine_->power_on(StoredVolatile::keep).map([](PoweredOn) {}));
    manager_.power_changed();
    tpm_.must(tpm2_startup(type));
  }

  // What the TPM really has.
  std::vector<uint32_t> in_tpm(uint32_t first) {
    return listed_handles(tpm_.must(get_handles(first)));
  }

  MemoryStore store_;
  std::unique_ptr<LibtpmsEngine> engine_ = LibtpmsEngine::create({.profile = ""}, store_).value();
  EnginePort end_{*engine_};
  CountingPort count_{end_};
  SpaceClient tpm_{end_};
  ResourceManager manager_{count_};
};

}  // namespace vtpm
