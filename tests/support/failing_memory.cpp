#include "tests/support/failing_memory.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace vtpm {
namespace {

std::atomic<bool> is_armed = false;
std::atomic<bool> has_failed = false;
std::atomic<bool> fails_for_ever = false;
std::atomic<bool> on_this_thread = false;
std::atomic<long> left = 0;  // that succeed
thread_local bool is_test_thread = false;

bool fails_now() {
  if (!is_armed || is_test_thread != on_this_thread) {
    return false;
  }
  long before = left.fetch_sub(1);
  bool fails = before == 0 || (before < 0 && fails_for_ever);
  has_failed = has_failed || fails;
  return fails;
}

}  // namespace

FailingMemory::FailingMemory(On on, For how_long, size_t spared) {
  is_test_thread = true;
  on_this_thread = on == On::this_thread;
  fails_for_ever = how_long == For::for_ever;
  has_failed = false;
  left = static_cast<long>(spared);
  is_armed = true;
}

void FailingMemory::end() {
  is_armed = false;
}

bool FailingMemory::failed() const {
  return has_failed;
}

}  // namespace vtpm

// Those for arrays come down to these, or to a sanitizer's own pair.
void* operator new(std::size_t size) {
  void* memory = vtpm::fails_now() ? nullptr : std::malloc(size == 0 ? 1 : size);  // NOLINT
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

void* operator new(std::size_t size, const std::nothrow_t& /*quietly*/) noexcept {
  return vtpm::fails_now() ? nullptr : std::malloc(size == 0 ? 1 : size);  // NOLINT
}

void operator delete(void* memory) noexcept {
  std::free(memory);  // NOLINT
}

void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);  // NOLINT
}
