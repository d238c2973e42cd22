// A whole TPM behind two wires: engine, power cycle, control requests, raw, managed and control
// node, and a CuseSession for each that a WireKernel drives. What vtpmd builds, with the outer
// edges replaced.
#pragma once

#include <atomic>
#include <future>
#include <memory>

#include "cuse/channel/cuse_session.h"
#include "cuse/nodes/control_node.h"
#include "cuse/nodes/managed_node.h"
#include "cuse/nodes/raw_node.h"
#include "tests/support/commands.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/fake_clock.h"
#include "tests/support/wire_kernel.h"

namespace vtpm {

struct WiredOptions {
  PowerSwitch power = PowerSwitch::independent;
  ControlPolicy policy = {};
  ControlAccess access = {.is_root = [](pid_t) { return true; }};  // callers are made up here
};

class WiredTpm final : private Surroundings {
 public:
  WiredTpm(Engine& engine, StateStore& store, WiredOptions options = {})
      : tpm(engine, store, backoff),
        dispatcher({.tpm = tpm, .surroundings = *this, .policy = options.policy}, queue, clock),
        control(dispatcher),
        node({tpm, queue, control, clock, options.power, options.access}),
        control_node(control, options.access),
        managed_node({tpm, queue, control, clock}) {
    static_cast<void>(tpm.lock_storage());
    session = serve(kernel, "vtpm0", node);
    control_session = serve(control_kernel, "vtpmctl0", control_node);
    managed_session = serve(managed_kernel, "vtpmrm0", managed_node);
  }

  ~WiredTpm() override {
    managed_session->stop();
    control_session->stop();
    session->stop();
    clock.forget();  // requests that wait for their next attempt answer while there are sessions
  }

  FakeBackoff backoff;
  FakeClock clock;
  VirtualTpm tpm;
  Strand queue;
  ControlDispatcher dispatcher;
  IoctlControl control;
  RawNode node;
  ControlNode control_node;
  ManagedNode managed_node;
  WireKernel kernel;          // /dev/vtpm0
  WireKernel control_kernel;  // /dev/vtpmctl0
  WireKernel managed_kernel;  // /dev/vtpmrm0
  std::atomic<bool> end_requested = false;
  std::atomic<int> changes_announced = 0;
  std::promise<void> channel_ended;  // of the raw node
  std::unique_ptr<CuseSession> session;
  std::unique_ptr<CuseSession> control_session;
  std::unique_ptr<CuseSession> managed_session;

 private:
  void end_daemon() override { end_requested = true; }
  void announce_version_change() override { ++changes_announced; }
  [[nodiscard]] bool raw_node_in_use() const override { return node.in_use(); }
  [[nodiscard]] RawNodeOpener raw_node_opener() const override { return node.opener(); }
  [[nodiscard]] std::chrono::seconds uptime() const override { return {}; }
  [[nodiscard]] std::optional<StorageFailure> storage_failure() const override { return {}; }

  std::unique_ptr<CuseSession> serve(WireKernel& wire, const char* name, Node& served) {
    wire.send_init();
    auto channel = CreatedChannel::create(wire.take_channel(), {name, 0, 0});
    auto started = std::make_unique<CuseSession>(std::move(*channel), served);
    bool raw = &wire == &kernel;
    started->serve([this, raw] {
      if (raw) {
        channel_ended.set_value();
      }
    });
    return started;
  }
};

}  // namespace vtpm
