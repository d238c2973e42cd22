// Whole commands of vtpmctl on a machine and a device made for the test: what is printed, and the
// exit status.
#include "ctl/tool/cli/commands.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/state/swtpm/swtpm_blob.h"
#include "tests/support/hex.h"
#include "tests/unit/vtpmctl_command_fixture.h"

namespace vtpm {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(VtpmctlCommand, Device_IsItsControlNode) {
  EXPECT_EQ(run({"cancel", "vtpm7"}), 0);
  EXPECT_EQ(opened_, path("dev/vtpmctl7"));
}

TEST_F(VtpmctlCommand, UnknownVm_IsRefusedWithWhatToDo) {
  EXPECT_EQ(run({"status", "web01"}), 1);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("web01"), HasSubstr("vtpmctl list")));
}

TEST_F(VtpmctlCommand, Status_AsJson_HasEveryField) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, [](auto& status) {
    status = {};
    status.phase = VTPM_PHASE_FAILED;
    status.version = VTPM_VERSION_2_0;
    status.pid = 42;
    std::strcpy(status.reason, "broken \x1b[31m");  // NOLINT: fits
    return 0;
  });

  EXPECT_EQ(run({"status", "vtpm7", "--json"}), 0);

  auto json = nlohmann::json::parse(out_.str());
  EXPECT_EQ(json["phase"], "failed");
  EXPECT_EQ(json["version"], "2.0");
  EXPECT_EQ(json["pid"], 42);
}

TEST_F(VtpmctlCommand, Status_TextFromTheDevice_CannotSteerTheTerminal) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, [](auto& status) {
    status = {};
    status.phase = VTPM_PHASE_FAILED;
    status.version = VTPM_VERSION_2_0;
    std::memset(status.reason, '\x1b', sizeof(status.reason));  // and no NUL
    return 0;
  });

  EXPECT_EQ(run({"status", "vtpm7"}), 0);

  EXPECT_THAT(out_.str(), AllOf(HasSubstr("\\x1b"), Not(HasSubstr("\x1b"))));
}

TEST_F(VtpmctlCommand, Send_ErrorOfTheTpm_IsPrintedAndExitStatusOne) {
  device_.on<vtpm_execute>(VTPM_EXECUTE, [](auto& structure) {
    structure = {};
    Bytes response = hex("8001 0000000a 00000143");
    structure.resp.length = static_cast<uint32_t>(response.size());
    std::memcpy(structure.resp.data, response.data(), response.size());
    return 0;
  });

  EXPECT_EQ(run({"send", "vtpm7", "80010000000a00000199"}), 1);

  EXPECT_THAT(out_.str(), HasSubstr("80010000000a00000143"));
  EXPECT_THAT(err_.str(), HasSubstr("TPM_RC_COMMAND_CODE"));
}

TEST_F(VtpmctlCommand, Send_FromStandardInput_IsOneCommand) {
  in_.str("8001 0000 000a\n0000 0199\n");
  uint32_t length = 0;
  device_.on<vtpm_execute>(VTPM_EXECUTE, [&](auto& structure) {
    length = structure.req.length;
    return EIO;
  });

  EXPECT_EQ(run({"send", "vtpm7", "-"}), 1);
  EXPECT_EQ(length, 10u);
}

// A TPM whose raw node this process has open.
int held_by_this_process(vtpm_status& status) {
  status = {};
  status.phase = VTPM_PHASE_ON;
  status.version = VTPM_VERSION_2_0;
  status.flags = VTPM_STATUS_IN_USE;
  status.opener_pid = static_cast<uint32_t>(::getpid());
  return 0;
}

// A TPM whose managed node two processes have open.
int held_by_managed_clients(vtpm_spaces& spaces) {
  spaces = {};
  spaces.resp.count = 2;
  spaces.resp.spaces[0] = {
      .id = 1, .commands = 0, .pid = 4711, .uid = 1000, .objects = 0, .sessions = 0};
  spaces.resp.spaces[1] = {.id = 2, .commands = 0, .pid = 0, .uid = 0, .objects = 0, .sessions = 0};
  return 0;
}

class VtpmctlInstances : public VtpmctlCommand {
 protected:
  VtpmctlInstances() {
    std::filesystem::create_directories(instances_.configuration);
    std::ofstream(instances_.configuration_of("web01")) << "device = 'vtpm7'\n";
    std::ofstream(instances_.configuration_of("web02")) << "device = 'vtpm8'\n";
    std::ofstream(instances_.configuration_of("web03")) << "device = 'vtpm8'\n";
  }
};

TEST_F(VtpmctlInstances, InUse_AreStoppedByForceAlone) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, held_by_this_process);

  EXPECT_EQ(run({"stop", "web01"}), 1);
  EXPECT_EQ(run({"restart", "web01"}), 1);
  EXPECT_EQ(run({"destroy", "web01", "--yes"}), 1);
  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("process " + std::to_string(::getpid())), HasSubstr("--force")));

  EXPECT_EQ(run({"stop", "web01", "--force"}), 0);
  EXPECT_EQ(ran_.size(), 1u);
}

TEST_F(VtpmctlCommand, TpmInUseByItsManagedNode_IsSwitchedByForceAlone) {
  device_.on<vtpm_spaces>(VTPM_GET_SPACES, held_by_managed_clients);

  EXPECT_EQ(run({"power", "off", "vtpm7"}), 1);
  EXPECT_EQ(run({"power", "reset", "vtpm7"}), 1);
  EXPECT_EQ(run({"terminate", "vtpm7"}), 1);
  EXPECT_THAT(device_.asked, Each(AnyOf(VTPM_GET_STATUS, VTPM_GET_SPACES)));
  EXPECT_THAT(err_.str(),
              HasSubstr("process 4711 of user 1000 and 1 more have its managed node open"));

  EXPECT_EQ(run({"power", "off", "vtpm7", "--force"}), 0);
  EXPECT_EQ(device_.asked.back(), VTPM_STOP);
}

TEST_F(VtpmctlCommand, TpmInUse_IsSwitchedByForceAlone) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, held_by_this_process);

  EXPECT_EQ(run({"power", "off", "vtpm7"}), 1);
  EXPECT_EQ(run({"power", "reset", "vtpm7"}), 1);
  EXPECT_EQ(run({"terminate", "vtpm7"}), 1);
  EXPECT_THAT(device_.asked, Each(AnyOf(VTPM_GET_STATUS, VTPM_GET_DETAILS)));

  EXPECT_EQ(run({"power", "off", "vtpm7", "--force"}), 0);
  EXPECT_EQ(device_.asked.back(), VTPM_STOP);
}

TEST_F(VtpmctlCommand, PowerReset_SaysThatNobodyHasStartedTheTpm) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, [](auto& status) {
    status = {};
    status.phase = VTPM_PHASE_ON;
    return 0;
  });

  EXPECT_EQ(run({"power", "reset", "vtpm7"}), 0);

  EXPECT_THAT(out_.str(), AllOf(HasSubstr("on, not started"), HasSubstr("--startup clear")));
}

TEST_F(VtpmctlCommand, Locality_SaysHowLongItHolds) {
  EXPECT_EQ(run({"locality", "vtpm7", "3"}), 0);

  EXPECT_THAT(out_.str(), HasSubstr("locality 3"));
}

TEST_F(VtpmctlInstances, StartedWithAnUnusableTpm_IsStatusThree) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, [](auto& status) {
    status = {};
    status.phase = VTPM_PHASE_FAILED;
    std::strcpy(status.reason, "the key is wrong");  // NOLINT: fits
    return 0;
  });

  EXPECT_EQ(run({"start", "web01"}), 3);

  EXPECT_THAT(err_.str(), HasSubstr("the key is wrong"));
}

TEST_F(VtpmctlInstances, Several_HaveAResultEach) {
  EXPECT_EQ(run({"enable", "web01", "nobody", "web02"}), 1);

  EXPECT_THAT(out_.str(), AllOf(HasSubstr("web01: enabled"), HasSubstr("web02: enabled")));
  EXPECT_THAT(err_.str(), HasSubstr("not enabled: nobody"));
  EXPECT_EQ(ran_.size(), 1u);
}

TEST_F(VtpmctlInstances, SeveralWithJson_AreOneArrayWithTheErrorOfEach) {
  EXPECT_EQ(run({"enable", "web01", "nobody", "web02", "--json"}), 1);

  auto all = nlohmann::json::parse(out_.str());
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0], (nlohmann::json{{"name", "web01"}, {"ok", true}, {"exit_status", 0}}));
  EXPECT_EQ(all[1]["name"], "nobody");
  EXPECT_EQ(all[1]["ok"], false);
  EXPECT_EQ(all[1]["kind"], "not_found");
  EXPECT_EQ(all[1]["exit_status"], 1);
  EXPECT_THAT(all[1]["error"].get<std::string>(), HasSubstr("no virtual TPM called nobody"));
  EXPECT_EQ(nlohmann::json::parse(err_.str())["error"], "not enabled: nobody");
}

TEST_F(VtpmctlInstances, SeveralWithJson_TellOfAnUnusableTpmAsItsStatus) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, [](auto& status) {
    status = {};
    status.phase = VTPM_PHASE_FAILED;
    return 0;
  });

  EXPECT_EQ(run({"start", "web01", "web02", "--json"}), 3);

  auto all = nlohmann::json::parse(out_.str());
  EXPECT_EQ(all[0]["exit_status"], 3);
  EXPECT_EQ(all[0]["kind"], "tpm");
  EXPECT_EQ(all[1]["exit_status"], 0);
}

TEST_F(VtpmctlInstances, AllWithJson_IsAnArrayOfOneToo) {
  answer_ = {0, "Id=vtpm@web02.service\nUnitFileState=enabled\nActiveState=inactive\n"};

  EXPECT_EQ(run({"start", "--all", "--json"}), 0);

  auto all = nlohmann::json::parse(out_.str());
  EXPECT_EQ(all[0]["name"], "web02");
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(VtpmctlInstances, AllWhereNoneFits_IsToldAndNoFailure) {
  answer_ = {0,
             "Id=vtpm@web01.service\nActiveState=inactive\n\n"
             "Id=vtpm@web02.service\nActiveState=inactive\n\n"
             "Id=vtpm@web03.service\nActiveState=failed\n"};

  EXPECT_EQ(run({"start", "--all"}), 0);
  EXPECT_EQ(run({"stop", "--all"}), 0);
  EXPECT_EQ(run({"restart", "--all"}), 0);

  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("vtpmctl: no virtual TPM is enabled, and none was started; vtpmctl "
                              "enable NAME"),
                    HasSubstr("none was stopped\n"), HasSubstr("none was restarted\n")));
  EXPECT_THAT(out_.str(), IsEmpty());
  EXPECT_THAT(ran_, Each(testing::Contains("show")));
}

TEST_F(VtpmctlInstances, AllWhereNoneFitsWithJson_IsAnEmptyArrayAndAWarning) {
  EXPECT_EQ(run({"start", "--all", "--json"}), 0);

  EXPECT_EQ(nlohmann::json::parse(out_.str()), nlohmann::json::array());
  EXPECT_THAT(nlohmann::json::parse(err_.str())["warning"].get<std::string>(),
              HasSubstr("none was started"));
}

TEST_F(VtpmctlCommand, AllOfAHostWithoutInstances_IsToldWithWhatToDo) {
  EXPECT_EQ(run({"enable", "--all"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("vtpmctl create makes one"));

  EXPECT_EQ(run({"state", "backup", "--all", path("backups").c_str()}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("nothing was backed up"));
}

TEST_F(VtpmctlInstances, DestroyWithAStateElsewhere_IsRefusedBeforeAnythingIsStopped) {
  std::ofstream(instances_.configuration_of("web02"), std::ios::app) << "state = 'dir:/srv/two'\n";

  EXPECT_EQ(run({"destroy", "web02", "--yes"}), 1);

  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_THAT(err_.str(), HasSubstr("--keep-state"));
  EXPECT_EQ(run({"destroy", "web02", "--yes", "--keep-state"}), 0) << err_.str();
}

TEST_F(VtpmctlInstances, DestroyWithAnUnreadableConfiguration_LeavesAStateThatNobodyKnowsOf) {
  std::ofstream(instances_.configuration_of("web02"), std::ios::app) << "state = [[\n";
  std::filesystem::create_directories(instances_.directory_of("web02"));

  EXPECT_EQ(run({"destroy", "web02", "--yes"}), 1);

  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("web02.toml:2"), HasSubstr("--keep-state")));
  EXPECT_TRUE(std::filesystem::exists(instances_.directory_of("web02")));
}

TEST_F(VtpmctlInstances, DestroyThatIsRefused_DoesNotAskBefore) {
  std::ofstream(instances_.configuration_of("web02"), std::ios::app) << "state = 'dir:/srv/two'\n";

  EXPECT_EQ(run({"destroy", "web02"}), 1);

  EXPECT_THAT(out_.str(), IsEmpty());
}

TEST_F(VtpmctlInstances, All_OfStartAreThoseThatAreEnabled) {
  answer_ = {0, "Id=vtpm@web02.service\nUnitFileState=enabled\nActiveState=inactive\n"};

  EXPECT_EQ(run({"start", "--all"}), 0);

  EXPECT_THAT(ran_.back(), ElementsAre("systemctl", "start", "vtpm@web02.service"));
  EXPECT_EQ(ran_.size(), 3u) << "show, reset-failed, start";
}

TEST_F(VtpmctlInstances, List_ShowsAllThatClaimADeviceWithOneCall) {
  EXPECT_EQ(run({"list"}), 0);

  EXPECT_THAT(out_.str(), AllOf(HasSubstr("web01"), HasSubstr("web02"), HasSubstr("web03")));
  EXPECT_EQ(ran_.size(), 1u);
}

TEST_F(VtpmctlInstances, List_ThatCouldNotAsk_FailsWithASentenceAndShowsTheRest) {
  device_.fail(VTPM_GET_STATUS, EACCES);

  EXPECT_EQ(run({"list"}), 1);

  EXPECT_THAT(out_.str(), HasSubstr("web02"));
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("vtpm7"), HasSubstr("control needs root")));
}

TEST_F(VtpmctlInstances, List_OfADaemonThatDoesNotAnswer_SaysSoAsItsPhase) {
  device_.fail(VTPM_GET_STATUS, ETIMEDOUT);

  EXPECT_EQ(run({"list"}), 1);

  EXPECT_THAT(out_.str(),
              AllOf(ContainsRegex("vtpm7 +web01 +- +not answering "), HasSubstr("web02")));
}

TEST_F(VtpmctlInstances, List_OfATpmThatMayNotBeAsked_DoesNotBlameItsDaemon) {
  device_.fail(VTPM_GET_STATUS, EACCES);

  EXPECT_EQ(run({"list"}), 1);

  EXPECT_THAT(out_.str(), ContainsRegex("vtpm7 +web01 +- +unknown "));
}

TEST_F(VtpmctlInstances, DeviceThatAnotherHas_IsNotTheInstances) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, [](auto& status) {
    held_by_this_process(status);
    std::strcpy(status.state, "file:/srv/another");  // NOLINT: fits
    return 0;
  });

  EXPECT_EQ(run({"stop", "web01"}), 0) << "web01 does not run";
}

TEST_F(VtpmctlInstances, Reap_GoesOnBehindADaemonThatDoesNotAnswer) {
  device_.fail(VTPM_GET_STATUS, ETIMEDOUT);

  EXPECT_EQ(run({"reap", "4711"}), 0);

  EXPECT_THAT(err_.str(), HasSubstr("does not answer"));
}

TEST_F(VtpmctlInstances, ReapWithJson_IsOneArrayOfWhatWasStoppedAndWhatWasNotAsked) {
  device_.on<vtpm_status>(VTPM_GET_STATUS, held_by_this_process);
  std::string process = std::to_string(::getpid());
  answer_ = {1, "Access denied\n"};

  EXPECT_EQ(run({"reap", process.c_str(), "--json"}), 1);

  auto all = nlohmann::json::parse(out_.str());
  EXPECT_EQ(all[0]["name"], "web01");
  EXPECT_EQ(all[0]["error"], "Access denied");
  EXPECT_EQ(nlohmann::json::parse(err_.str())["error"], "not stopped: web01");
}

TEST_F(VtpmctlInstances, SpawnWithoutUdev_Fails) {
  EXPECT_EQ(run({"spawn", "web01"}), 1);

  EXPECT_THAT(err_.str(), AllOf(HasSubstr("udev"), HasSubstr("vtpmctl start web01")));
}

TEST_F(VtpmctlCommand, CreateWithAWrongOption_IsWrongUsage) {
  answer_ = {2, "'3' is not one of 1.2, 2.0\n"};

  EXPECT_EQ(run({"create", "web01", "--tpm", "3"}), 2);
}

class VtpmctlState : public VtpmctlCommand {
 protected:
  VtpmctlState() {
    device_.on<vtpm_get_state>(VTPM_GET_STATEBLOB, [this](auto& structure) {
      if (structure.req.type == refused_type_) {
        structure.resp.tpm_result = VTPM_RESULT_FAIL;
        return 0;
      }
      structure.resp.tpm_result = VTPM_RESULT_SUCCESS;
      structure.resp.totlength = structure.resp.length = static_cast<uint32_t>(blob_.size());
      std::memcpy(structure.resp.data, blob_.data(), blob_.size());
      return 0;
    });
  }

  Bytes blob_ = *wrap_migration_blob(Bytes(90, std::byte{7}), nullptr);
  uint32_t refused_type_ = 0;
};

TEST_F(VtpmctlState, Save_WritesAFileForItsOwnerAlone) {
  EXPECT_EQ(run({"state", "save", "vtpm7", "--permanent", path("p").c_str()}), 0);

  struct stat status {};
  ASSERT_EQ(::stat(path("p").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(status.st_size, static_cast<off_t>(blob_.size()));
}

TEST_F(VtpmctlState, Save_OneBlobIsRefused_WritesNone) {
  refused_type_ = VTPM_BLOB_TYPE_VOLATILE;

  EXPECT_EQ(run({"state", "save", "vtpm7", "--permanent", path("p").c_str(), "--volatile",
                 path("v").c_str()}),
            1);

  EXPECT_FALSE(std::filesystem::exists(path("p")));
  EXPECT_FALSE(std::filesystem::exists(path("v")));
}

TEST_F(VtpmctlState, Save_ThroughALink_IsRefused) {
  std::ofstream(path("victim")) << "precious";
  std::filesystem::create_symlink(path("victim"), path("p"));

  EXPECT_EQ(run({"state", "save", "vtpm7", "--permanent", path("p").c_str()}), 1);

  EXPECT_THAT(err_.str(), HasSubstr("no regular file"));
  EXPECT_EQ(std::filesystem::file_size(path("victim")), 8u);
}

TEST_F(VtpmctlState, Save_WhereNothingCanBeWritten_LeavesNothing) {
  EXPECT_EQ(run({"state", "save", "vtpm7", "--permanent", path("missing/p").c_str()}), 1);

  EXPECT_THAT(err_.str(), HasSubstr("missing/p"));
}

TEST_F(VtpmctlState, Load_OneFileIsNoBlob_GivesTheDeviceNothing) {
  ASSERT_EQ(run({"state", "save", "vtpm7", "--permanent", path("p").c_str()}), 0);
  std::ofstream(path("v")) << "this is no blob";
  device_.asked.clear();

  EXPECT_EQ(run({"state", "load", "vtpm7", "--permanent", path("p").c_str(), "--volatile",
                 path("v").c_str()}),
            1);

  EXPECT_THAT(err_.str(), HasSubstr(path("v")));
  EXPECT_THAT(device_.asked, IsEmpty());
}

TEST_F(VtpmctlState, Load_EmptyHugeOrMissingFile_IsNamed) {
  std::ofstream(path("empty")) << "";
  std::ofstream(path("huge")) << std::string((size_t{1} << 20) + 1, 'x');
  for (const char* name : {"empty", "huge", "missing"}) {
    EXPECT_EQ(run({"state", "load", "vtpm7", "--permanent", path(name).c_str()}), 1);
    EXPECT_THAT(err_.str(), HasSubstr(path(name)));
    err_.str("");
  }
  EXPECT_THAT(device_.asked, IsEmpty());
}

}  // namespace
}  // namespace vtpm
