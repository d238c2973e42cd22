#include "tests/support/wiped_memory.h"

namespace vtpm {
namespace {

WipedMemory* the_observer = nullptr;

void note(const void* begin, size_t size) {
  if (the_observer != nullptr) {
    the_observer->note({begin, size});
  }
}

}  // namespace

WipedMemory::WipedMemory() {
  the_observer = this;
}

WipedMemory::~WipedMemory() {
  the_observer = nullptr;
}

}  // namespace vtpm

// With and without _FORTIFY_SOURCE.
// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
extern "C" {
void __real_explicit_bzero(void* begin, size_t size);
void __real___explicit_bzero_chk(void* begin, size_t size, size_t known);

void __wrap_explicit_bzero(void* begin, size_t size) {
  __real_explicit_bzero(begin, size);
  vtpm::note(begin, size);
}

void __wrap___explicit_bzero_chk(void* begin, size_t size, size_t known) {
  __real___explicit_bzero_chk(begin, size, known);
  vtpm::note(begin, size);
}
}
// NOLINTEND(bugprone-reserved-identifier)
