// A back-off that waits for nothing and remembers for how long it would have, for tests.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

#include "engine/tpm/backoff.h"

namespace vtpm {

class FakeBackoff final : public Backoff {
 public:
  bool wait(std::chrono::milliseconds delay) override {
    waits.push_back(delay);
    interrupted = false;
    during_wait();
    return !interrupted;
  }
  void interrupt() override { interrupted = true; }

  std::vector<std::chrono::milliseconds> waits;
  std::atomic<bool> interrupted = false;  // the last wait; any thread
  std::function<void()> during_wait = [] {};
};

}  // namespace vtpm
