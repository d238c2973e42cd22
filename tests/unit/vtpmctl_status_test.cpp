// What status tells of a TPM, whether it runs or not.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/unit/vtpmctl_command_fixture.h"

namespace vtpm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class VtpmctlStatus : public VtpmctlCommand {
 protected:
  VtpmctlStatus() {
    std::filesystem::create_directories(path("etc"));
    std::filesystem::create_directories(path("lib/web01"));
    std::ofstream(path("etc/web01.toml")) << "device = \"vtpm7\"\n";
    device_.on<vtpm_status>(VTPM_GET_STATUS, [this](vtpm_status& status) {
      status = status_;
      return 0;
    });
    device_.on<vtpm_details>(VTPM_GET_DETAILS, [this](vtpm_details& details) {
      details = details_;
      return details_error_;
    });
    device_.on<vtpm_spaces>(VTPM_GET_SPACES, [this](vtpm_spaces& spaces) {
      spaces = page_after(spaces.req.after);
      return 0;
    });
    status_.phase = VTPM_PHASE_ON;
    status_.version = VTPM_VERSION_2_0;
    std::strcpy(details_.program, VTPM_VERSION);  // NOLINT: fits
  }

  nlohmann::json status_of(const std::vector<const char*>& what) {
    std::vector<const char*> words{"status", "--json"};
    words.insert(words.end(), what.begin(), what.end());
    out_.str("");
    EXPECT_EQ(run(words), 0) << err_.str();
    return nlohmann::json::parse(out_.str());
  }
  nlohmann::json status_of(const char* what) { return status_of(std::vector{what}); }
  std::string words_of(const char* what) {
    out_.str("");
    EXPECT_EQ(run({"status", what}), 0) << err_.str();
    return out_.str();
  }
  static std::set<std::string> fields_of(const nlohmann::json& json) {
    std::set<std::string> fields;
    for (const auto& [key, value] : json.items()) {
      fields.insert(key);
    }
    return fields;
  }
  vtpm_spaces page_after(uint64_t id) const {
    vtpm_spaces page{};
    for (const vtpm_space& space : spaces_) {
      if (space.id <= id && id != 0) {
        continue;
      }
      if (page.resp.count == VTPM_SPACES_MAX) {
        ++page.resp.more;
      } else {
        page.resp.spaces[page.resp.count++] = space;
      }
    }
    return page;
  }
  void stop_it() { std::filesystem::remove_all(root_ / "dev/vtpmctl7"); }

  vtpm_status status_{};
  vtpm_details details_{};
  int details_error_ = 0;
  std::vector<vtpm_space> spaces_;
};

TEST_F(VtpmctlStatus, RunningAndStopped_HaveTheSameFields) {
  auto running = status_of("vtpm7");
  stop_it();
  auto stopped = status_of("web01");

  EXPECT_EQ(fields_of(running), fields_of(stopped));
  EXPECT_EQ(running["phase"], "on");
  EXPECT_EQ(stopped["phase"], "stopped");
  EXPECT_EQ(running["name"], "web01");
  EXPECT_EQ(stopped["device"], running["device"]);
}

TEST_F(VtpmctlStatus, HolderOfTheRawNode_IsToldAsAProcessByName) {
  status_.flags = VTPM_STATUS_IN_USE;
  status_.opener_pid = 42;
  std::strcpy(details_.opener, "qemu\x1b");  // NOLINT: fits

  EXPECT_THAT(words_of("vtpm7"), HasSubstr("yes, by qemu\\x1b (process 42)"));
}

TEST_F(VtpmctlStatus, HolderOfAnotherPidNamespace_IsNotProcessZero) {
  status_.flags = VTPM_STATUS_IN_USE;

  EXPECT_THAT(words_of("vtpm7"), HasSubstr("yes, by a process that the daemon cannot see"));
}

TEST_F(VtpmctlStatus, HolderThatAnOlderDaemonDoesNotName_IsNamedByTheKernel) {
  details_error_ = ENOTTY;
  status_.flags = VTPM_STATUS_IN_USE;
  status_.opener_pid = static_cast<uint32_t>(::getpid());

  EXPECT_THAT(words_of("vtpm7"),
              HasSubstr("yes, by unit_tests (process " + std::to_string(::getpid()) + ")"));
}

TEST_F(VtpmctlStatus, OpenersOfTheManagedNode_AreToldWithWhatTheyHave) {
  spaces_ = {{.id = 3, .commands = 9, .pid = 42, .uid = 1000, .objects = 1, .sessions = 2},
             {.id = 5, .commands = 1, .pid = 0, .uid = 0, .objects = 0, .sessions = 0}};

  EXPECT_THAT(words_of("vtpm7"),
              AllOf(HasSubstr("process 42 of user 1000: 1 object, 2 sessions, 9 commands"),
                    HasSubstr("a process that the daemon cannot see of user 0: 0 objects")));
  auto space = status_of("vtpm7")["spaces"].at(0);
  EXPECT_EQ(space, nlohmann::json({{"id", 3},
                                   {"commands", 9},
                                   {"pid", 42},
                                   {"uid", 1000},
                                   {"objects", 1},
                                   {"sessions", 2}}));
}

TEST_F(VtpmctlStatus, OpenersOfTheManagedNode_AreAskedForUntilThereAreNoMore) {
  spaces_.resize(70);
  for (size_t i = 0; i < spaces_.size(); ++i) {
    spaces_[i].id = i + 1;
  }

  auto spaces = status_of("vtpm7")["spaces"];

  EXPECT_EQ(spaces.size(), 70u);
  EXPECT_EQ(spaces.at(69)["id"], 70);
}

TEST_F(VtpmctlStatus, ManagedNode_IsToldWhereThereIsOne) {
  EXPECT_EQ(status_of("vtpm7")["managed_node"], "");
  std::ofstream(root_ / "dev/vtpmrm7") << "";

  EXPECT_EQ(status_of("vtpm7")["managed_node"], path("dev/vtpmrm7"));
}

TEST_F(VtpmctlStatus, WithoutOpenersOfTheManagedNode_SaysSo) {
  EXPECT_THAT(words_of("vtpm7"), HasSubstr("no opener"));
  EXPECT_TRUE(status_of("vtpm7")["spaces"].empty());
}

TEST_F(VtpmctlStatus, DaemonThatClaimsMoreAndTellsNone_IsNotAskedForEver) {
  device_.on<vtpm_spaces>(VTPM_GET_SPACES, [](vtpm_spaces& spaces) {
    spaces = {};
    spaces.resp.more = 1;
    return 0;
  });

  EXPECT_TRUE(status_of("vtpm7")["spaces"].empty());
}

TEST_F(VtpmctlStatus, List_CountsTheOpenersOfTheManagedNode) {
  spaces_.resize(2);

  EXPECT_EQ(run({"list"}), 0);

  EXPECT_THAT(out_.str(), HasSubstr("managed by 2"));
}

TEST_F(VtpmctlStatus, LastOpener_IsNoHolder) {
  status_.opener_pid = 42;

  auto json = status_of("vtpm7");

  EXPECT_EQ(json["in_use"], false);
  EXPECT_EQ(json["opener"], 42);
}

TEST_F(VtpmctlStatus, Lockout_IsCountedAndTold) {
  details_.flags = VTPM_DETAILS_LOCKOUT_KNOWN;
  details_.lockout_failed = 2;
  details_.lockout_limit = 3;
  EXPECT_THAT(words_of("vtpm7"), HasSubstr("2 of 3 failed tries"));

  details_.lockout_failed = 3;
  EXPECT_THAT(words_of("vtpm7"), HasSubstr("locked out: 3 of 3"));
  EXPECT_EQ(status_of("vtpm7")["locked_out"], true);
}

TEST_F(VtpmctlStatus, OlderDaemonWithoutDetails_IsToldAllTheSame) {
  details_error_ = ENOTTY;

  auto json = status_of("vtpm7");

  EXPECT_EQ(json["phase"], "on");
  EXPECT_EQ(json["lockout"], "unknown");
}

TEST_F(VtpmctlStatus, OlderProgram_IsToldWithWhatToDo) {
  std::strcpy(details_.program, "0.0.1");  // NOLINT: fits

  EXPECT_THAT(words_of("vtpm7"), HasSubstr("vtpmd 0.0.1, an older program: restart"));
}

TEST_F(VtpmctlStatus, LastBackup_IsNeverOrWhenItWasRecorded) {
  EXPECT_EQ(status_of("vtpm7")["last_backup"], "never");

  std::filesystem::create_directories(path("lib/.last-backup"));
  std::ofstream(path("lib/.last-backup/web01")) << "";

  EXPECT_THAT(status_of("vtpm7")["last_backup"].get<std::string>(), testing::EndsWith("Z"));
}

TEST_F(VtpmctlStatus, StorageThatFailed_IsToldWithItsAge) {
  details_.flags = VTPM_DETAILS_STORAGE_FAILED;
  details_.storage_failure_age = 120;
  std::strcpy(details_.storage_failure, "the disk is full");  // NOLINT: fits

  EXPECT_THAT(words_of("vtpm7"), HasSubstr("the disk is full, 2 min ago; it has stored since"));
  EXPECT_EQ(status_of("vtpm7")["storage_fails"], false);
}

TEST_F(VtpmctlStatus, StorageThatFails_IsToldByStatusAndList) {
  details_.flags = VTPM_DETAILS_STORAGE_FAILED | VTPM_DETAILS_STORAGE_FAILS;
  std::strcpy(details_.storage_failure, "the disk is full");  // NOLINT: fits

  EXPECT_THAT(words_of("vtpm7"), HasSubstr("the disk is full, 0 s ago; nothing was stored since"));
  EXPECT_EQ(status_of("vtpm7")["storage_fails"], true);
  out_.str("");
  EXPECT_EQ(run({"list"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("on, not started, storage fails"));
}

// web01 runs as vtpm7; web02 has failed, and web03 is stopped.
class VtpmctlStatusOfMany : public VtpmctlStatus {
 protected:
  VtpmctlStatusOfMany() {
    std::ofstream(path("etc/web02.toml")) << "device = \"vtpm8\"\n";
    std::ofstream(path("etc/web03.toml")) << "device = \"vtpm9\"\n";
    answer_ = {0,
               "Id=vtpm@web01.service\nActiveState=active\nUnitFileState=enabled\n\n"
               "Id=vtpm@web02.service\nActiveState=failed\nInvocationID=abc\n\n"
               "Id=vtpm@web03.service\nActiveState=inactive\n"};
  }
  static std::vector<std::string> names_in(const nlohmann::json& all) {
    std::vector<std::string> names;
    for (const auto& one : all) {
      names.push_back(one["name"]);
    }
    return names;
  }
};

TEST_F(VtpmctlStatusOfMany, Several_AreAnArrayInTheirOrder) {
  auto all = status_of({"web03", "vtpm7"});

  EXPECT_THAT(names_in(all), testing::ElementsAre("web03", "web01"));
  EXPECT_EQ(all[0]["phase"], "stopped");
  EXPECT_EQ(all[1]["phase"], "on");
  EXPECT_EQ(all[1]["enabled"], true);
  EXPECT_EQ(fields_of(all[0]), fields_of(all[1]));
}

TEST_F(VtpmctlStatusOfMany, Several_AreParagraphs) {
  EXPECT_EQ(run({"status", "web01", "web03"}), 0) << err_.str();

  EXPECT_THAT(out_.str(), testing::ContainsRegex("name +web01\n(.+\n)+\nname +web03\n"));
}

TEST_F(VtpmctlStatusOfMany, OneAlone_IsAnObject) {
  EXPECT_EQ(status_of("web03")["name"], "web03");
}

TEST_F(VtpmctlStatusOfMany, All_AreThoseOfTheListWithOneQuestionToSystemd) {
  auto all = status_of("--all");

  EXPECT_THAT(names_in(all), testing::ElementsAre("web01", "web02", "web03"));
  EXPECT_EQ(all[1]["service"], "failed");
  EXPECT_THAT(ran_.at(0), AllOf(testing::Contains("systemctl"), testing::Contains("show")));
  EXPECT_THAT(ran_, testing::Each(testing::Contains(testing::AnyOf("show", "journalctl"))));
  EXPECT_EQ(std::ranges::count(ran_, "systemctl", [](const auto& words) { return words[0]; }), 1);
}

TEST_F(VtpmctlStatusOfMany, AllOfOne_IsAnArrayToo) {
  std::filesystem::remove(path("etc/web02.toml"));
  std::filesystem::remove(path("etc/web03.toml"));

  EXPECT_EQ(status_of("--all").size(), 1u);
}

TEST_F(VtpmctlStatusOfMany, OneThatDoesNotAnswer_HidesNoOther) {
  device_.fail(VTPM_GET_STATUS, ETIMEDOUT);

  EXPECT_EQ(run({"status", "vtpm7", "web03", "nobody", "--json"}), 1);

  auto all = nlohmann::json::parse(out_.str());
  EXPECT_EQ(all[0]["name"], "web01");
  EXPECT_EQ(all[0]["phase"], "not answering");
  EXPECT_EQ(all[1]["phase"], "stopped");
  EXPECT_EQ(all[2]["asked"], "nobody");
  EXPECT_EQ(all[2]["phase"], "unknown");
  EXPECT_EQ(all[2]["kind"], "not_found");
  EXPECT_EQ(all[2]["exit_status"], 1);
  EXPECT_THAT(err_.str(), HasSubstr("could not ask vtpm7, nobody: "));
}

TEST_F(VtpmctlStatusOfMany, ServiceOnItsWay_IsToldAsThePhase) {
  answer_ = {0,
             "Id=vtpm@web02.service\nActiveState=activating\n\n"
             "Id=vtpm@web03.service\nActiveState=deactivating\n"};

  auto all = status_of({"web02", "web03"});
  EXPECT_EQ(all[0]["phase"], "starting");
  EXPECT_EQ(all[1]["phase"], "stopping");
  EXPECT_THAT(words_of("web02"), HasSubstr("starting: its daemon has no node yet"));
  EXPECT_THAT(words_of("web03"), HasSubstr("stopping: its daemon has no node any more"));
}

TEST_F(VtpmctlStatusOfMany, DaemonWithoutANode_IsNotToldAsStopped) {
  std::ofstream(path("etc/web03.toml")) << "device = \"auto\"\n";
  answer_ = {0, "Id=vtpm@web03.service\nActiveState=active\n"};

  EXPECT_EQ(status_of("web03")["phase"], "unknown");
  EXPECT_THAT(words_of("web03"), HasSubstr("its daemon runs, and has no node here"));
}

TEST_F(VtpmctlStatusOfMany, InstanceThatRunsWithoutALink_IsAskedByItsDevice) {
  EXPECT_EQ(status_of("web01")["phase"], "on");
}

TEST_F(VtpmctlCommand, ErrorWithJson_IsAnObjectOnStandardError) {
  EXPECT_EQ(run({"cancel", "web09", "--json"}), 1);

  auto json = nlohmann::json::parse(err_.str());
  EXPECT_THAT(json["error"].get<std::string>(), HasSubstr("web09"));
  EXPECT_EQ(json["kind"], "not_found");
  EXPECT_EQ(json["exit_status"], 1);
}

TEST_F(VtpmctlCommand, Send_OfTheWrongLength_SaysWhatWasGivenAndDeclared) {
  EXPECT_EQ(run({"send", "vtpm7", "80010000000c00000199"}), 1);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("10 bytes were given"), HasSubstr("declares 12")));

  EXPECT_EQ(run({"send", "vtpm7", "8001"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("2 bytes were given, and a command has 10 at least"));
  EXPECT_THAT(device_.asked, testing::IsEmpty());
}

}  // namespace
}  // namespace vtpm
