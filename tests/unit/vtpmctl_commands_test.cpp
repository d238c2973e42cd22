// Whole commands of vtpmctl on a machine and a device made for the test: what is printed, and the
// exit status.
#include "ctl/tool/commands.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/swtpm_blob.h"
#include "tests/support/hex.h"
#include "tests/unit/vtpmctl_command_fixture.h"

namespace vtpm {
namespace {

using testing::AllOf;
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
