// The adapter calls libtpms in the order it wants, and one adapter at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/libtpms_double/adapter_fixture.h"
#include "tests/support/commands.h"
#include "tests/support/hex.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// -- order of calls --

TEST_F(LibtpmsAdapter, PowerOn_RegistersCallbacksBeforeMainInit) {
  auto engine = make_on();

  EXPECT_THAT(libtpms().calls, ElementsAre("ChooseTPMVersion", "RegisterCallbacks", "MainInit"));
  EXPECT_EQ(libtpms().version, TPMLIB_TPM_VERSION_2);
}

// The library prints failing commands, authorisation values included.
TEST_F(LibtpmsAdapter, DebugOutput_GoesToDevNull) {
  auto engine = make();

  struct stat target {};
  struct stat null {};
  ASSERT_EQ(fstat(libtpms().debug_fd, &target), 0);
  ASSERT_EQ(stat("/dev/null", &null), 0);
  EXPECT_EQ(target.st_rdev, null.st_rdev);
}

TEST_F(LibtpmsAdapter, Tpm12_IsChosenWhenAskedFor) {
  auto engine = make({.version = TpmVersion::tpm12, .profile = ""});

  EXPECT_EQ(libtpms().version, TPMLIB_TPM_VERSION_1_2);
}

TEST_F(LibtpmsAdapter, VersionTheLibraryLacks_IsUnsupported) {
  libtpms().choose_result = TPM_FAIL;

  auto engine = LibtpmsEngine::create({.version = TpmVersion::tpm12, .profile = ""}, store_);

  ASSERT_FALSE(engine.has_value());
  EXPECT_EQ(engine.error().code, Errc::unsupported);
  EXPECT_THAT(engine.error().message, HasSubstr("0.10.2"));
}

TEST_F(LibtpmsAdapter, Profile_IsSetBeforeEveryMainInit) {
  auto engine = make_on({.version = TpmVersion::tpm20, .profile = R"({"Name":"default-v1"})"});
  engine->power_off();
  libtpms().calls.clear();

  ASSERT_TRUE(engine->power_on(StoredVolatile::keep).has_value());

  EXPECT_THAT(libtpms().calls, ElementsAre("RegisterCallbacks", "SetProfile", "MainInit"));
  EXPECT_EQ(libtpms().profile, R"({"Name":"default-v1"})");
}

TEST_F(LibtpmsAdapter, ProfileTheLibraryRefuses_IsInvalidAndNamed) {
  libtpms().profile_result = TPM_FAIL;
  auto engine = make({.version = TpmVersion::tpm20, .profile = "nonsense"});

  auto powered = engine->power_on(StoredVolatile::keep);

  ASSERT_FALSE(powered.has_value());
  EXPECT_EQ(powered.error().code, Errc::invalid);
  EXPECT_THAT(powered.error().message, HasSubstr("nonsense"));
}

TEST_F(LibtpmsAdapter, FailedMainInit_IsTerminated) {
  libtpms().main_init = [] { return TPM_FAIL; };
  auto engine = make();

  EXPECT_EQ(engine->power_on(StoredVolatile::keep).error().code, Errc::tpm);

  EXPECT_EQ(libtpms().calls.back(), "Terminate");
  EXPECT_EQ(engine->execute(get_random(8), Locality{}).error().code, Errc::wrong_phase);
}

TEST_F(LibtpmsAdapter, PowerOff_TerminatesOnce) {
  auto engine = make_on();
  libtpms().calls.clear();

  engine->power_off();
  engine->power_off();

  EXPECT_THAT(libtpms().calls, ElementsAre("Terminate"));
}

TEST_F(LibtpmsAdapter, EndedWhileOn_Terminates) {
  auto engine = make_on();

  engine.reset();

  EXPECT_EQ(libtpms().calls.back(), "Terminate");
}

TEST_F(LibtpmsAdapter, EndedWhileOff_LeavesTheLibraryAlone) {
  auto engine = make();
  libtpms().calls.clear();

  engine.reset();

  EXPECT_THAT(libtpms().calls, IsEmpty());
}

// -- one per process --

TEST_F(LibtpmsAdapter, Second_IsRefusedClearlyAndTheFirstGoesOn) {
  auto first = make_on();
  libtpms().calls.clear();

  auto second = LibtpmsEngine::create({}, store_);

  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_THAT(second.error().message, HasSubstr("one TPM per process"));
  EXPECT_THAT(libtpms().calls, IsEmpty());
  EXPECT_EQ(libtpms().store(TPM_PERMANENT_ALL_NAME, as_bytes("s")), TPM_SUCCESS);
}

TEST_F(LibtpmsAdapter, AfterTheFirstEnded_AnotherCanBeMade) {
  make().reset();

  EXPECT_TRUE(LibtpmsEngine::create({}, store_).has_value());
}

TEST_F(LibtpmsAdapter, AfterOneThatCouldNotBeMade_AnotherCanBe) {
  libtpms().choose_result = TPM_FAIL;
  ASSERT_FALSE(LibtpmsEngine::create({}, store_).has_value());
  libtpms().choose_result = TPM_SUCCESS;

  EXPECT_TRUE(LibtpmsEngine::create({}, store_).has_value());
}

}  // namespace
}  // namespace vtpm
