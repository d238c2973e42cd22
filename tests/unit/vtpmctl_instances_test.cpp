// Instances as files, and the services behind them, on a machine made for the test.
#include "ctl/tool/instances.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "ctl/tool/services.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Instances : public testing::Test {
 protected:
  Instances() {
    std::filesystem::create_directories(root_ / "class/vtpm0");
    std::filesystem::create_directories(root_ / "class/vtpm2");
  }

  Result<void> create(const std::string& name,
                      std::vector<std::pair<std::string, std::string>> options = {}) {
    return create_instance({name, std::move(options)}, paths_,
                           {(root_ / "dev").string(), (root_ / "class").string()}, run_);
  }
  std::string configuration(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(paths_.configuration_of(name)).rdbuf();
    return content.str();
  }

  TemporaryDirectory directory_;
  std::filesystem::path root_ = directory_.path();
  InstancePaths paths_{root_ / "etc", root_ / "lib", root_ / "run"};
  std::vector<std::vector<std::string>> ran_;
  std::function<Ran(const std::vector<std::string>&)> answer_ = [](const auto&) {
    return Ran{0, ""};
  };
  RunProgram run_ = [this](const std::vector<std::string>& words) {
    ran_.push_back(words);
    return answer_(words);
  };
};

TEST_F(Instances, Created_HasTheFirstDeviceThatNobodyHas) {
  ASSERT_TRUE(create("one"));
  ASSERT_TRUE(create("two"));

  EXPECT_EQ(device_of(paths_, "one"), "vtpm1") << "vtpm0 and vtpm2 are there";
  EXPECT_EQ(device_of(paths_, "two"), "vtpm3");
  EXPECT_THAT(list_instances(paths_), ElementsAre("one", "two"));
}

TEST_F(Instances, Created_InsistsOnItsState) {
  ASSERT_TRUE(create("one", {{"tpm", "1.2"}, {"buffer-size", "3968"}}));

  EXPECT_THAT(configuration("one"), HasSubstr("create = 'never'\n"));
  EXPECT_THAT(configuration("one"), HasSubstr("buffer-size = 3968\n"));
  EXPECT_THAT(ran_, ElementsAre(ElementsAre("vtpmd", "--name", "one", "--check"),
                                ElementsAre("vtpmd", "--name", "one", "--make-state")));
}

TEST_F(Instances, DeviceThatWasSaid_IsTaken) {
  ASSERT_TRUE(create("one", {{"device", "vtpm7"}}));
  EXPECT_EQ(device_of(paths_, "one"), "vtpm7");
}

TEST_F(Instances, RefusedByVtpmd_LeavesNothingAndTellsWhy) {
  answer_ = [](const auto&) { return Ran{2, "'3' is not one of 1.2, 2.0\n"}; };

  EXPECT_THAT(create("one", {{"tpm", "3"}}).error().message, HasSubstr("'3' is not one of"));

  EXPECT_THAT(list_instances(paths_), IsEmpty());
  EXPECT_EQ(ran_.size(), 1u) << "no state was made";
}

TEST_F(Instances, NameThatIsTaken_IsRefusedAndTheOtherKept) {
  ASSERT_TRUE(create("one", {{"tpm", "1.2"}}));

  EXPECT_EQ(create("one").error().code, Errc::busy);

  EXPECT_THAT(configuration("one"), HasSubstr("1.2"));
}

TEST_F(Instances, Removed_TakesTheStateUnlessItIsKept) {
  ASSERT_TRUE(create("one"));
  std::filesystem::create_directories(paths_.directory_of("one"));
  ASSERT_TRUE(remove_instance(paths_, "one", true));
  EXPECT_TRUE(std::filesystem::exists(paths_.directory_of("one")));

  ASSERT_TRUE(create("one"));
  ASSERT_TRUE(remove_instance(paths_, "one", false));
  EXPECT_FALSE(std::filesystem::exists(paths_.directory_of("one")));
  EXPECT_FALSE(instance_exists(paths_, "one"));
}

TEST_F(Instances, StateElsewhere_IsNotRemoved) {
  ASSERT_TRUE(create("one", {{"state", "dir:/srv/one"}}));

  EXPECT_EQ(remove_instance(paths_, "one", false).error().code, Errc::invalid);
  EXPECT_TRUE(instance_exists(paths_, "one"));
}

TEST_F(Instances, OfOtherNames_AreNotListed) {
  ASSERT_TRUE(create("one"));
  std::ofstream(root_ / "etc/vtpm0.toml") << "";
  std::ofstream(root_ / "etc/one.toml~") << "";

  EXPECT_THAT(list_instances(paths_), ElementsAre("one"));
}

TEST_F(Instances, ForgottenNodes_AreItsOwnAlone) {
  ASSERT_TRUE(create("one", {{"device", "vtpm7"}}));
  std::filesystem::create_directories(root_ / "run/devices");
  for (const char* node : {"vtpm7", "vtpmctl7", "vtpm77"}) {
    std::ofstream(paths_.properties_of(node)) << "x";
  }

  forget_nodes(paths_, "one");

  EXPECT_FALSE(std::filesystem::exists(paths_.properties_of("vtpm7")));
  EXPECT_FALSE(std::filesystem::exists(paths_.properties_of("vtpmctl7")));
  EXPECT_TRUE(std::filesystem::exists(paths_.properties_of("vtpm77")));
}

TEST_F(Instances, WithSystemd_AreUnits) {
  auto services = make_services(true, run_, paths_);

  ASSERT_TRUE(services->start("one"));
  ASSERT_TRUE(services->stop_soon("one"));
  ASSERT_TRUE(services->enable("one"));

  EXPECT_THAT(ran_, ElementsAre(ElementsAre("systemctl", "start", "vtpm@one.service"),
                                ElementsAre("systemctl", "stop", "--no-block", "vtpm@one.service"),
                                ElementsAre("systemctl", "--quiet", "enable", "vtpm@one.service")));
}

TEST_F(Instances, UnitThatFails_IsToldInTheDaemonsWords) {
  answer_ = [](const auto& words) {
    return words[0] == "journalctl" ? Ran{0, "vtpmd one: the device vtpm0 exists already\n"}
                                    : Ran{1, "Job for vtpm@one.service failed.\n"};
  };
  auto services = make_services(true, run_, paths_);

  EXPECT_THAT(services->start("one").error().message, HasSubstr("exists already"));
}

TEST_F(Instances, WithoutSystemd_AreProcessesWithPidFiles) {
  auto services = make_services(false, run_, paths_);

  ASSERT_TRUE(services->start("one"));

  EXPECT_THAT(ran_, ElementsAre(ElementsAre("vtpmd", "--name", "one", "--daemon", "--pid-file",
                                            paths_.pid_file_of("one"))));
  EXPECT_EQ(services->state("one"), "stopped") << "no vtpmd wrote that file";
}

TEST_F(Instances, PidFileOfAnotherProgram_IsALeftover) {
  std::filesystem::create_directories(paths_.run);
  std::ofstream(paths_.pid_file_of("one")) << ::getpid() << "\n";
  auto services = make_services(false, run_, paths_);

  EXPECT_EQ(services->state("one"), "stopped");
  EXPECT_TRUE(services->stop("one")) << "and this process lives on";
}

TEST_F(Instances, WithoutSystemd_EnabledIsALink) {
  ASSERT_TRUE(create("one"));
  auto services = make_services(false, run_, paths_);

  EXPECT_FALSE(services->is_enabled("one"));
  ASSERT_TRUE(services->enable("one"));
  ASSERT_TRUE(services->enable("one"));
  EXPECT_TRUE(services->is_enabled("one"));
  ASSERT_TRUE(services->disable("one"));
  ASSERT_TRUE(services->disable("one"));
  EXPECT_FALSE(services->is_enabled("one"));
}

TEST(RunProgram, OutputAndStatus_ComeBack) {
  Ran ran = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"}).value();

  EXPECT_EQ(ran.status, 3);
  EXPECT_EQ(ran.text(), "out\nerr");
}

TEST(RunProgram, SignalledProgram_IsNoSuccess) {
  EXPECT_EQ(run_program({"sh", "-c", "kill -TERM $$"}).value().status, 128 + 15);
}

TEST(RunProgram, MissingProgram_IsNotFound) {
  EXPECT_EQ(run_program({"no-such-program-anywhere"}).error().code, Errc::not_found);
}

}  // namespace
}  // namespace vtpm
