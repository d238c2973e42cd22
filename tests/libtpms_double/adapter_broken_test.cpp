// A library that fails within a call, or makes a memory error, is not called again by anything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <setjmp.h>  // NOLINT: longjmp

#include <csignal>

#include "tests/libtpms_double/adapter_fixture.h"
#include "tests/support/commands.h"
#include "tests/support/nv_commands.h"

namespace vtpm {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

jmp_buf a_place;  // NOLINT: that of nobody, as libtpms' own outside of its commands

void fail_a_check() {
  longjmp(a_place, 1);
}

void make_a_memory_error() {
  static_cast<void>(raise(SIGSEGV));
}

class BrokenLibtpms : public LibtpmsAdapter {
 protected:
  // A memory error within a call that changes nothing.
  std::unique_ptr<LibtpmsEngine> make_lost() {
    auto engine = make_on();
    libtpms().mishap = make_a_memory_error;
    EXPECT_FALSE(engine->get_state(BlobKind::permanent).has_value());
    libtpms().mishap = [] {};
    libtpms().calls.clear();
    libtpms().queries = libtpms().states_taken = libtpms().commands = 0;
    return engine;
  }
  const Bytes storing_ = nv_define(1, 0x02000002);  // by design: the TPM is copied before it
};

TEST_F(BrokenLibtpms, CopyBeforeACommandThatFailsACheck_EndsTheCommandBeforeTheLibrarySeesIt) {
  auto engine = make_on();
  libtpms().mishap = fail_a_check;
  libtpms().commands = 0;

  auto answer = engine->execute(storing_, Locality{});

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Errc::tpm);
  EXPECT_THAT(answer.error().message, HasSubstr("internal check"));
  EXPECT_EQ(libtpms().commands, 1) << "the startup of a TPM that nobody sees, and no more";
}

TEST_F(BrokenLibtpms, CopyBeforeACommandThatMakesAMemoryError_EndsTheCommandAndTheLibrary) {
  auto engine = make_on();
  libtpms().mishap = make_a_memory_error;
  libtpms().commands = 0;
  libtpms().calls.clear();

  auto answer = engine->execute(storing_, Locality{});

  ASSERT_FALSE(answer.has_value());
  EXPECT_THAT(answer.error().message, HasSubstr("memory error"));
  EXPECT_EQ(libtpms().commands, 0);
  EXPECT_THAT(libtpms().calls, IsEmpty());
}

TEST_F(BrokenLibtpms, CopyBeforeACallThatFailsACheck_EndsTheCallAsBroken) {
  auto engine = make_on();
  libtpms().mishap = fail_a_check;
  libtpms().calls.clear();

  auto done = engine->hash_start();

  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, Errc::tpm);
  EXPECT_THAT(libtpms().calls, testing::Not(testing::Contains("Hash_Start")));
}

TEST_F(BrokenLibtpms, DescriptionThatMakesAMemoryError_IsContained) {
  auto engine = make_on();
  libtpms().mishap = make_a_memory_error;

  auto info = engine->info(1);

  ASSERT_FALSE(info.has_value());
  EXPECT_THAT(info.error().message, HasSubstr("memory error"));
  EXPECT_TRUE(engine->in_failure_mode());
}

TEST_F(BrokenLibtpms, Lost_IsNotCalledByAnythingAgain) {
  auto engine = make_lost();

  EXPECT_EQ(engine->info(1).error().code, Errc::tpm);
  EXPECT_EQ(engine->set_version(TpmVersion::tpm12).error().code, Errc::tpm);
  EXPECT_EQ(engine->set_state(BlobKind::permanent, as_bytes("s")).error().code, Errc::tpm);
  EXPECT_EQ(engine->power_on(StoredVolatile::keep).error().code, Errc::tpm);
  EXPECT_EQ(engine->execute(storing_, Locality{}).error().code, Errc::tpm);
  EXPECT_EQ(engine->hash_end().error().code, Errc::tpm);
  static_cast<void>(engine->buffer_size(0));
  engine->forget_state();
  engine->power_off();

  EXPECT_THAT(libtpms().calls, IsEmpty());
  EXPECT_EQ(libtpms().queries + libtpms().states_taken + libtpms().commands, 0);
}

TEST_F(BrokenLibtpms, BufferSizeOfALostOne_IsWhatItSaidLast) {
  auto engine = make();
  ASSERT_EQ(engine->buffer_size(3200).size, 3200u);
  ASSERT_TRUE(engine->power_on(StoredVolatile::keep).has_value());
  libtpms().mishap = make_a_memory_error;
  ASSERT_FALSE(engine->info(1).has_value());

  EXPECT_EQ(engine->buffer_size(0).size, 3200u);
  EXPECT_EQ(engine->buffer_size(0).min, 2808u);
}

}  // namespace
}  // namespace vtpm
