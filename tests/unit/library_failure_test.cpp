#undef NDEBUG  // assert() as libtpms has it

#include "engine/tpm/library_failure.h"

#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>

#include <cassert>
#include <thread>

namespace vtpm {
namespace {

class LibraryFailure : public testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "the thread sanitizer's runtime delivers signals in a way of its own";
#endif
    handle_memory_faults();
  }
};

jmp_buf a_place;

constexpr auto jump_to_the_place = [] { longjmp(a_place, 7); };
volatile bool sound = false;
constexpr auto fail_an_assertion = [] { assert(sound); };

TEST_F(LibraryFailure, CallThatReturns_IsToldAsReturned) {
  bool called = false;

  auto end = guarded_from_failure(FailingJump::to_guard, [&] { called = true; });

  EXPECT_EQ(end, GuardedEnd::returned);
  EXPECT_TRUE(called);
}

TEST_F(LibraryFailure, JumpToAPlaceThatIsGone_EndsAtTheGuard) {
  EXPECT_EQ(guarded_from_failure(FailingJump::to_guard, jump_to_the_place),
            GuardedEnd::check_failed);
}

TEST_F(LibraryFailure, JumpOfALibraryThatHasAPlace_ArrivesThere) {
  volatile int arrived = 0;

  auto end = guarded_from_failure(FailingJump::to_library, [&] {
    arrived = setjmp(a_place);
    if (arrived == 0) {
      jump_to_the_place();
    }
  });

  EXPECT_EQ(end, GuardedEnd::returned);
  EXPECT_EQ(arrived, 7);
}

TEST_F(LibraryFailure, JumpWithoutAGuard_IsTheCLibrarys) {
  volatile int arrived = setjmp(a_place);
  if (arrived == 0) {
    jump_to_the_place();
  }

  EXPECT_EQ(arrived, 7);
}

TEST_F(LibraryFailure, FailedAssertion_EndsAtTheGuard) {
  EXPECT_EQ(guarded_from_failure(FailingJump::to_guard, fail_an_assertion),
            GuardedEnd::check_failed);
  EXPECT_EQ(guarded_from_failure(FailingJump::to_library, fail_an_assertion),
            GuardedEnd::check_failed);
}

TEST_F(LibraryFailure, FailedAssertionWithoutAGuard_EndsTheProcess) {
  EXPECT_EXIT(fail_an_assertion(), testing::KilledBySignal(SIGABRT), "sound");
}

TEST_F(LibraryFailure, MemoryFault_IsToldApart) {
  EXPECT_EQ(guarded_from_failure(FailingJump::to_library, [] { raise(SIGSEGV); }),
            GuardedEnd::memory_fault);
}

TEST_F(LibraryFailure, SecondMemoryFault_IsCaughtAsWell) {
  guarded_from_failure(FailingJump::to_guard, [] { raise(SIGBUS); });

  EXPECT_EQ(guarded_from_failure(FailingJump::to_guard, [] { raise(SIGBUS); }),
            GuardedEnd::memory_fault);
}

TEST_F(LibraryFailure, MemoryFaultWithoutAGuard_EndsTheProcess) {
  EXPECT_EXIT(raise(SIGSEGV), testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(LibraryFailure, GuardOfOneThread_IsNoneOfAnother) {
  auto fault_elsewhere = [] {
    guarded_from_failure(FailingJump::to_guard, [] { std::thread([] { raise(SIGSEGV); }).join(); });
  };

  EXPECT_EXIT(fault_elsewhere(), testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace vtpm
