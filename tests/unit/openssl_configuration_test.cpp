#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT: setenv
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "cuse/sandbox/own_descriptors.h"
#include "engine/base/file_descriptor.h"
#include "engine/base/inherited.h"
#include "engine/keys/crypto.h"
#include "tests/support/must.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// What `act` told on standard error in a child: OpenSSL is loaded once for good. The child has
// nothing open but the standard descriptors.
std::string told_in_child(const std::function<void()>& act) {
  testing::internal::CaptureStderr();
  pid_t child = fork();
  if (child == 0) {
    must(close_inherited_but({}));
    act();
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  return testing::internal::GetCapturedStderr();
}

void tell(const Result<void>& result) {
  std::string text = result ? "" : result.error().message;
  static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
}

class OpensslConfiguration : public testing::Test {
 protected:
  void SetUp() override {
    directory_.write("openssl.cnf", R"(openssl_conf = init
[init]
providers = providers
[providers]
default = default_section
nosy = nosy_section
[default_section]
activate = 1
[nosy_section]
module = )" VTPM_NOSY_PROVIDER R"(
activate = 1
)");
  }
  TemporaryDirectory directory_;
  const std::string file_ = directory_ / "openssl.cnf";
};

TEST_F(OpensslConfiguration, OfTheHost_LoadsNothing) {
  std::string told = told_in_child([&] {
    setenv("OPENSSL_CONF", file_.c_str(), 1);
    tell(load_crypto());
    tell(check_descriptors({}));
  });

  EXPECT_THAT(told, IsEmpty());
}

TEST_F(OpensslConfiguration, OfTheHost_LoadsNothingForALaterCallEither) {
  std::string told = told_in_child([&] {
    setenv("OPENSSL_CONF", file_.c_str(), 1);
    ignore_host_configuration();
    static_cast<void>(random_bytes(8));
    static_cast<void>(sha256({}));
  });

  EXPECT_THAT(told, IsEmpty());
}

TEST_F(OpensslConfiguration, ThatIsNamed_CountsAndWhatItOpensIsSeen) {
  std::string told = told_in_child([&] {
    tell(load_crypto(file_));
    tell(check_descriptors({}));
  });

  EXPECT_THAT(told, HasSubstr("nosy_provider: loaded"));
  EXPECT_THAT(told, HasSubstr("is open on /dev/zero, which is not vtpmd's own"));
}

TEST_F(OpensslConfiguration, ThatIsMissing_IsAnErrorWithItsName) {
  EXPECT_THAT(told_in_child([&] { tell(load_crypto(directory_ / "missing")); }),
              HasSubstr(directory_ / "missing"));
}

TEST(OwnDescriptors, NamedByNumberOrPath_AreNoForeignOnes) {
  TemporaryDirectory directory;
  directory.write("state/blob", "x");
  std::string told = told_in_child([&] {
    FileDescriptor blob(::open((directory / "state/blob").c_str(), O_RDONLY));
    FileDescriptor zero(::open("/dev/zero", O_RDONLY));
    tell(check_descriptors({{zero.get()}, {directory / "state"}}));
  });

  EXPECT_THAT(told, IsEmpty());
}

TEST(OwnDescriptors, PathOfALink_IsWhereItLeads) {
  TemporaryDirectory directory;
  directory.write("real/blob", "x");
  std::filesystem::create_symlink(directory / "real", directory / "link");
  std::string told = told_in_child([&] {
    FileDescriptor blob(::open((directory / "real/blob").c_str(), O_RDONLY));
    tell(check_descriptors({{}, {directory / "link/blob"}}));
  });

  EXPECT_THAT(told, IsEmpty());
}

TEST(OwnDescriptors, NameThatOnlyBeginsAlike_IsNamed) {
  TemporaryDirectory directory;
  directory.write("state1", "x");
  std::string told = told_in_child([&] {
    FileDescriptor other(::open((directory / "state1").c_str(), O_RDONLY));
    tell(check_descriptors({{}, {directory / "state"}}));
  });

  EXPECT_THAT(told, HasSubstr("state1, which is not vtpmd's own"));
}

TEST(OwnDescriptors, PathThatCannotBeFollowed_AllowsNothingElse) {
  TemporaryDirectory directory;
  std::filesystem::create_symlink("loop", directory / "loop");
  std::string told = told_in_child([&] {
    FileDescriptor zero(::open("/dev/zero", O_RDONLY));
    tell(check_descriptors({{}, {directory / "loop"}}));
  });

  EXPECT_THAT(told, HasSubstr("/dev/zero"));
}

TEST(OwnDescriptors, AnythingElse_IsNamed) {
  std::string told = told_in_child([&] {
    FileDescriptor zero(::open("/dev/zero", O_RDONLY));
    tell(check_descriptors({{zero.get() + 1}, {"/dev/null"}}));
  });

  EXPECT_THAT(told, HasSubstr("/dev/zero"));
}

}  // namespace
}  // namespace vtpm
