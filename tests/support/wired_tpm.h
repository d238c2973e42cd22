// A whole TPM behind a wire: engine, power cycle, control surface, raw node and a CuseSession that
// a WireKernel drives. What vtpmd builds, with the outer edges replaced.
#pragma once

#include <atomic>
#include <future>
#include <memory>

#include "cuse/cuse_session.h"
#include "cuse/raw_node.h"
#include "tests/support/commands.h"
#include "tests/support/fake_backoff.h"
#include "tests/support/fake_clock.h"
#include "tests/support/wire_kernel.h"

namespace vtpm {

class WiredTpm {
 public:
  explicit WiredTpm(Engine& engine, PowerSwitch power = PowerSwitch::independent)
      : tpm(engine, backoff),
        control({tpm, [this] { end_requested = true; }}, queue),
        node({tpm, queue, control, clock, power}) {
    kernel.send_init();
    auto started = CuseSession::start(kernel.take_channel(), {"vtpm0", 0, 0}, node);
    session = started ? std::move(*started) : nullptr;
    session->serve([this] { channel_ended.set_value(); });
  }

  FakeBackoff backoff;
  FakeClock clock;
  VirtualTpm tpm;
  CommandQueue queue;
  ControlSurface control;
  RawNode node;
  WireKernel kernel;
  std::atomic<bool> end_requested = false;
  std::promise<void> channel_ended;
  std::unique_ptr<CuseSession> session;
};

}  // namespace vtpm
