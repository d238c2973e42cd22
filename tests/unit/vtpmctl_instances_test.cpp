// Instances as files, and the services behind them, on a machine made for the test.
#include "ctl/tool/services/instances.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>  // NOLINT: kill
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "ctl/tool/services/process_services.h"
#include "ctl/tool/services/services.h"
#include "engine/base/file_descriptor.h"
#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

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

TEST_F(Instances, Called_AreByTheirOwnNameOrTheirDevices) {
  ASSERT_TRUE(create("one", {{"device", "vtpm7"}}));
  DevicePaths devices{(root_ / "dev").string(), (root_ / "class").string()};

  EXPECT_EQ(instance_called("one", paths_, devices), "one");
  EXPECT_EQ(instance_called("vtpm7", paths_, devices), "one");
  EXPECT_EQ(instance_called((root_ / "dev/vtpm7").string(), paths_, devices), "one");
  EXPECT_EQ(instance_called("vtpm8", paths_, devices), std::nullopt);
  EXPECT_EQ(instance_called("two", paths_, devices), std::nullopt);
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

TEST_F(Instances, DeviceOfAnother_IsRefusedWithItsName) {
  ASSERT_TRUE(create("one", {{"device", "vtpm7"}}));

  auto refused = create("two", {{"device", "vtpm7"}});

  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_THAT(refused.error().message, HasSubstr("one"));
  EXPECT_THAT(list_instances(paths_), ElementsAre("one"));
}

TEST_F(Instances, LockHeldByAnother_IsNotWaitedForWithoutEnd) {
  std::filesystem::create_directories(paths_.run);
  FileDescriptor other(::open((paths_.run + "/instances.lock").c_str(), O_RDWR | O_CREAT, 0600));
  ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);

  auto refused =
      create_instance({"one", {}}, paths_, {(root_ / "dev").string(), (root_ / "class").string()},
                      run_, std::chrono::milliseconds(1));

  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_THAT(refused.error().message, HasSubstr("instances.lock"));
}

TEST_F(Instances, LockFile_IsForItsOwnerAlone) {
  ASSERT_TRUE(create("one"));

  struct stat status {};
  ASSERT_EQ(::stat((paths_.run + "/instances.lock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u) << "who can open it can lock it for ever";
}

TEST_F(Instances, VtpmdThatWasKilled_IsTheReason) {
  answer_ = [](const auto&) { return Ran{128 + 9, ""}; };

  auto refused = create("one");

  EXPECT_THAT(refused.error().message, HasSubstr("signal 9 (SIGKILL)"));
  EXPECT_EQ(refused.error().code, Errc::io) << "no wrong usage";
}

TEST_F(Instances, WithSystemd_AreUnits) {
  auto services = make_services(true, run_, paths_);

  ASSERT_TRUE(services->start({"one"}).front());
  ASSERT_TRUE(services->stop_soon("one"));
  ASSERT_TRUE(services->enable({"one"}).front());

  EXPECT_THAT(ran_,
              ElementsAre(ElementsAre("systemctl", "--quiet", "reset-failed", "vtpm@one.service"),
                          ElementsAre("systemctl", "start", "vtpm@one.service"),
                          ElementsAre("systemctl", "stop", "--no-block", "vtpm@one.service"),
                          ElementsAre("systemctl", "--quiet", "enable", "vtpm@one.service")));
}

TEST_F(Instances, ManyOfSystemd_CostAsManyCallsAsOne) {
  Names names;
  for (int i = 0; i < 150; ++i) {
    names.push_back("vm-" + std::to_string(i));
  }
  auto services = make_services(true, run_, paths_);

  services->start(names);
  EXPECT_EQ(ran_.size(), 2u);
  services->stop(names);
  EXPECT_EQ(ran_.size(), 3u);
  services->enable(names);
  services->disable(names);
  EXPECT_EQ(ran_.size(), 5u);
  services->states(names);
  EXPECT_EQ(ran_.size(), 6u);
}

TEST_F(Instances, RestartOfSystemd_LiftsTheLimitOfStartsFirst) {
  make_services(true, run_, paths_)->restart({"one", "two"});

  EXPECT_THAT(ran_, ElementsAre(ElementsAre("systemctl", "--quiet", "reset-failed",
                                            "vtpm@one.service", "vtpm@two.service"),
                                ElementsAre("systemctl", "restart", "vtpm@one.service",
                                            "vtpm@two.service")));
}

TEST_F(Instances, StartOfSystemd_LiftsTheLimitOfStartsFirst) {
  make_services(true, run_, paths_)->start({"one", "two"});

  EXPECT_THAT(
      ran_, ElementsAre(ElementsAre("systemctl", "--quiet", "reset-failed", "vtpm@one.service",
                                    "vtpm@two.service"),
                        ElementsAre("systemctl", "start", "vtpm@one.service", "vtpm@two.service")));
}

TEST_F(Instances, StartByAnEventOfSystemd_LiftsTheLimitOfStartsFirst) {
  ASSERT_TRUE(make_services(true, run_, paths_)->start_soon("one"));

  EXPECT_THAT(ran_,
              ElementsAre(ElementsAre("systemctl", "--quiet", "reset-failed", "vtpm@one.service"),
                          ElementsAre("systemctl", "start", "--no-block", "vtpm@one.service")));
}

TEST_F(Instances, NoneOfSystemd_CostNoCall) {
  auto services = make_services(true, run_, paths_);

  EXPECT_THAT(services->start({}), IsEmpty());
  EXPECT_THAT(services->stop({}), IsEmpty());
  EXPECT_THAT(services->states({}), IsEmpty());
  EXPECT_THAT(ran_, IsEmpty());
}

TEST_F(Instances, StatesOfSystemd_AreByNameWhateverTheirOrder) {
  answer_ = [](const auto&) {
    return Ran{0,
               "Id=vtpm@two.service\nActiveState=failed\nUnitFileState=disabled\n\n"
               "UnitFileState=enabled\nActiveState=active\nId=vtpm@one.service\n"};
  };

  auto states = make_services(true, run_, paths_)->states({"one", "two", "three"});

  EXPECT_EQ(states[0].state, "running");
  EXPECT_TRUE(states[0].enabled);
  EXPECT_EQ(states[1].state, "failed");
  EXPECT_FALSE(states[1].enabled);
  EXPECT_EQ(states[2].state, "unknown") << "nothing was told of it";
}

// systemd, where `one` runs and `two` has failed with these words.
Ran one_runs_two_failed(const std::vector<std::string>& words, const std::string& journal) {
  if (words[0] == "journalctl") {
    return {0, journal};
  }
  return words[1] == "show" ? Ran{0,
                                  "Id=vtpm@one.service\nActiveState=active\n\n"
                                  "Id=vtpm@two.service\nActiveState=failed\n"}
                            : Ran{1, "Job for vtpm@two.service failed.\n"};
}

TEST_F(Instances, UnitThatFails_IsToldInTheDaemonsWordsAndTheOthersAreNot) {
  answer_ = [](const auto& words) {
    return one_runs_two_failed(words, "vtpmd two: the device vtpm0 exists already\n");
  };

  Results results = make_services(true, run_, paths_)->start({"one", "two"});

  EXPECT_TRUE(results[0]);
  EXPECT_THAT(results[1].error().message, HasSubstr("exists already"));
}

TEST_F(Instances, WordsOfAFailedStart_AreOfThisStartAlone) {
  answer_ = [](const auto& words) { return one_runs_two_failed(words, ""); };

  make_services(true, run_, paths_)->start({"two"});

  EXPECT_THAT(ran_, Contains(Contains(StartsWith("--since=@"))));
  EXPECT_THAT(
      ran_, Not(Contains(AllOf(Contains("--output=cat"), Not(Contains(StartsWith("--since=@")))))));
}

TEST_F(Instances, WrongConfigurationOfAUnit_IsToldWithTheHintThatGoesWithIt) {
  answer_ = [](const auto& words) {
    return one_runs_two_failed(words, "vtpmd: 'x' is no option (vtpmd --help lists the options)\n");
  };

  Results results = make_services(true, run_, paths_)->start({"two"});

  EXPECT_THAT(results[0].error().message, HasSubstr("'x' is no option (vtpmd --help lists"));
}

TEST_F(Instances, FailedUnitWithoutWords_IsToldInSystemds) {
  answer_ = [](const auto& words) { return one_runs_two_failed(words, ""); };

  Results results = make_services(true, run_, paths_)->start({"two"});

  EXPECT_THAT(results[0].error().message, HasSubstr("Job for vtpm@two.service failed"));
}

TEST_F(Instances, WordsOfSeveralAttempts_AreToldOnce) {
  answer_ = [](const auto& words) {
    return one_runs_two_failed(words, "no such key\nno such key\n");
  };

  std::string message = make_services(true, run_, paths_)->start({"two"}).front().error().message;

  EXPECT_EQ(message.find("no such key"), message.rfind("no such key"));
}

TEST_F(Instances, LastWords_AreOfTheLastRun) {
  answer_ = [](const auto& words) {
    return words[0] == "journalctl" ? Ran{0, "it failed\n"}
                                    : Ran{0, "Id=vtpm@one.service\nInvocationID=abc\n"};
  };
  auto services = make_services(true, run_, paths_);

  EXPECT_EQ(services->last_words("one", services->state_of("one").run), "it failed");

  EXPECT_THAT(ran_.back(), Contains("_SYSTEMD_INVOCATION_ID=abc"));
}

TEST_F(Instances, RetiredWhereNothingRuns_CostsOneQuestion) {
  answer_ = [](const auto&) { return Ran{0, "Id=vtpm@one.service\nActiveState=inactive\n"}; };

  ASSERT_TRUE(make_services(true, run_, paths_)->retire("one"));

  EXPECT_EQ(ran_.size(), 1u);
}

TEST_F(Instances, WithoutSystemd_AreProcessesWithPidFiles) {
  auto services = make_services(false, run_, paths_);

  ASSERT_TRUE(services->start({"one"}).front());

  EXPECT_THAT(ran_, ElementsAre(ElementsAre("vtpmd", "--name", "one", "--daemon", "--pid-file",
                                            paths_.pid_file_of("one"))));
  EXPECT_EQ(services->state_of("one").state, "stopped") << "no vtpmd wrote that file";
}

TEST_F(Instances, DaemonWithAnUnusableTpm_IsNoSuccess) {
  answer_ = [](const auto&) { return Ran{3, "vtpmd one: the key does not fit\n"}; };

  auto started = make_services(false, run_, paths_)->start({"one"}).front();

  EXPECT_EQ(started.error().code, Errc::tpm);
  EXPECT_THAT(started.error().message, HasSubstr("the key does not fit"));
}

// Without systemd, with a /proc of the test's own, in which this process looks like a daemon.
class PidFiles : public Instances {
 protected:
  PidFiles() {
    std::filesystem::create_directories(paths_.run);
    std::filesystem::create_directories(process_);
    looks_like("/usr/sbin/vtpmd", "one");
    write("one", ::getpid());
  }

  void looks_like(const std::string& program, const std::string& name) {
    std::filesystem::remove(process_ / "exe");
    std::filesystem::create_symlink(program, process_ / "exe");
    was_started_by({"vtpmd", "--name", name, "--daemon"});
  }
  void was_started_by(const std::vector<std::string>& words) {
    std::ofstream file(process_ / "cmdline", std::ios::binary);
    for (const std::string& word : words) {
      file << word << '\0';
    }
  }
  void write(const std::string& name, pid_t pid) {
    std::ofstream(paths_.pid_file_of(name)) << pid << "\n";
    ::chmod(paths_.pid_file_of(name).c_str(), 0644);
  }

  std::filesystem::path process_ = root_ / "proc" / std::to_string(::getpid());
  ProcessServices services_{run_, paths_, (root_ / "proc").string()};
};

TEST_F(PidFiles, OfTheInstancesDaemon_IsBelieved) {
  EXPECT_EQ(services_.state_of("one").state, "running");
}

TEST_F(PidFiles, OfADaemonWhoseProgramWasReplaced_IsBelieved) {
  looks_like("/usr/sbin/vtpmd (deleted)", "one");

  EXPECT_EQ(services_.state_of("one").state, "running");
}

TEST_F(PidFiles, OfADaemonWithItsNameInOneWord_IsBelieved) {
  was_started_by({"vtpmd", "--daemon", "--name=one"});

  EXPECT_EQ(services_.state_of("one").state, "running");
}

TEST_F(PidFiles, OfADaemonWithAnotherNameOrNone_IsNotBelieved) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"vtpmd", "--name=one2"},
                                                {"vtpmd", "--name=on"},
                                                {"vtpmd"},
                                                {"vtpmd", "--name"},
                                                {"vtpmd", "--names", "one"},
                                                {"vtpmd", "--name=", "one"},
                                                {"vtpmd", "one"},
                                                {"vtpmd", "--", "--name", "one"},
                                                {"vtpmd", "--", "--name=one"}}) {
    was_started_by(words);

    EXPECT_EQ(services_.state_of("one").state, "unknown") << testing::PrintToString(words);
  }
}

TEST_F(PidFiles, OfAnotherProgram_IsALeftover) {
  looks_like("/usr/bin/vtpmd-like", "one");

  EXPECT_EQ(services_.state_of("one").state, "stopped");
  EXPECT_TRUE(services_.stop({"one"}).front()) << "and this process lives on";
}

TEST_F(PidFiles, OfAnotherInstancesDaemon_EndsNobodyAndIsTold) {
  looks_like("/usr/sbin/vtpmd", "two");

  auto stopped = services_.stop({"one"}).front();

  EXPECT_EQ(stopped.error().code, Errc::denied);
  EXPECT_THAT(stopped.error().message, HasSubstr(paths_.pid_file_of("one")));
}

TEST_F(PidFiles, ThatOthersCanWrite_IsNotBelieved) {
  ::chmod(paths_.pid_file_of("one").c_str(), 0666);

  EXPECT_EQ(services_.stop({"one"}).front().error().code, Errc::denied);
}

TEST_F(PidFiles, ThatIsALink_IsNotFollowed) {
  std::filesystem::rename(paths_.pid_file_of("one"), root_ / "elsewhere");
  std::filesystem::create_symlink(root_ / "elsewhere", paths_.pid_file_of("one"));

  EXPECT_EQ(services_.state_of("one").state, "stopped");
}

TEST_F(Instances, WithoutSystemd_EnabledIsALink) {
  ASSERT_TRUE(create("one"));
  auto services = make_services(false, run_, paths_);

  EXPECT_FALSE(services->state_of("one").enabled);
  ASSERT_TRUE(services->enable({"one"}).front());
  ASSERT_TRUE(services->enable({"one"}).front());
  EXPECT_TRUE(services->state_of("one").enabled);
  ASSERT_TRUE(services->disable({"one"}).front());
  ASSERT_TRUE(services->disable({"one"}).front());
  EXPECT_FALSE(services->state_of("one").enabled);
}

TEST(RunProgram, OutputAndStatus_ComeBack) {
  Ran ran = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"}).value();

  EXPECT_EQ(ran.status, 3);
  EXPECT_EQ(ran.text(), "out\nerr");
}

TEST(RunProgram, SignalledProgram_IsNoSuccess) {
  EXPECT_EQ(run_program({"sh", "-c", "kill -TERM $$"}).value().status, 128 + 15);
}

TEST(RunProgram, ThatDoesNotEnd_IsKilledAndTold) {
  auto ran = run_program_within({"sleep", "1000"}, std::chrono::milliseconds(10));

  EXPECT_EQ(ran.error().code, Errc::busy);
  EXPECT_THAT(ran.error().message, HasSubstr("sleep"));
}

TEST(RunProgram, OutputThatADescendantKeepsOpen_IsNotWaitedFor) {
  Ran ran = run_program({"sh", "-c", "echo out; sleep 1000 & echo $!"}).value();

  EXPECT_THAT(ran.text(), StartsWith("out\n"));
  EXPECT_EQ(::kill(std::stoi(ran.text().substr(4)), SIGKILL), 0);
}

TEST(RunProgram, MissingProgram_IsNotFound) {
  EXPECT_EQ(run_program({"no-such-program-anywhere"}).error().code, Errc::not_found);
}

}  // namespace
}  // namespace vtpm
