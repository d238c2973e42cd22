#include "cuse/daemon/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

namespace vtpm {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct Outcome {
  ParsedOptions parsed;
  std::string out;
  std::string err;
};

Outcome parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "vtpmd");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  ParsedOptions parsed = parse_options(static_cast<int>(arguments.size()), arguments.data());
  std::string out = testing::internal::GetCapturedStdout();
  return {parsed, out, testing::internal::GetCapturedStderr()};
}

// With the two options that must be there, and more.
Outcome parse_with(std::initializer_list<const char*> more) {
  std::vector<const char*> arguments = {"--device", "vtpm3", "--state",
                                        "file:/var/lib/vtpm/web01/state"};
  arguments.insert(arguments.end(), more);
  return parse(arguments);
}

Options options_with(std::initializer_list<const char*> more) {
  return parse_with(more).parsed.options.value();
}

TEST(Options, DeviceAndState_AreEnoughAndTheRestIsDefaults) {
  Options options = options_with({});

  EXPECT_EQ(options.device.name, "vtpm3");
  EXPECT_EQ(options.device.major, 0u);
  EXPECT_EQ(options.device.minor, -1);
  EXPECT_EQ(options.state.location.format, StateFormat::file);
  EXPECT_EQ(options.state.location.path, "/var/lib/vtpm/web01/state");
  EXPECT_EQ(options.state.sync, Sync::full);
  EXPECT_FALSE(options.state.wait);
  EXPECT_THAT(options.key, IsEmpty());
  EXPECT_EQ(options.state.create, CreateState::if_missing);
  EXPECT_EQ(options.tpm, TpmVersion::tpm20);
  EXPECT_THAT(options.profile, IsEmpty());
  EXPECT_EQ(options.startup, StartupType::clear);
  EXPECT_EQ(options.power, InitialPower::on);
  EXPECT_EQ(options.buffer_size, 0u);
  EXPECT_TRUE(options.auto_shutdown);
  EXPECT_TRUE(options.resource_manager);
  EXPECT_FALSE(options.run_as.has_value());
  EXPECT_EQ(options.sandbox, SandboxMode::on);
  EXPECT_FALSE(options.daemon);
  EXPECT_THAT(options.pid_file, IsEmpty());
  EXPECT_EQ(options.log_level, log::Level::info);
}

TEST(Options, ManagedNode_HasPermissionsAndLimitsOfItsOwn) {
  Options options = options_with({"--rm-owner", "root", "--rm-group", "daemon", "--rm-mode", "600",
                                  "--rm-objects", "10", "--rm-sessions", "4"});

  EXPECT_EQ(options.managed_permissions.owner, "root");
  EXPECT_EQ(options.managed_permissions.group, "daemon");
  EXPECT_EQ(options.managed_permissions.mode, "600");
  EXPECT_THAT(options.permissions.owner, IsEmpty());
  EXPECT_EQ(options.resources.objects_per_space, 10u);
  EXPECT_EQ(options.resources.sessions_per_space, 4u);
}

TEST(Options, ResourceManager_IsOffWhereItIsSaidAndForATpm12) {
  EXPECT_TRUE(options_with({"--resource-manager", "on"}).resource_manager);
  EXPECT_FALSE(options_with({"--resource-manager", "off"}).resource_manager);
  EXPECT_FALSE(options_with({"--tpm", "1.2"}).resource_manager);
  EXPECT_FALSE(options_with({"--tpm", "1.2", "--resource-manager", "off"}).resource_manager);
}

TEST(Options, DeviceAuto_IsNoName) {
  auto outcome = parse({"--device", "auto", "--state", "dir:/x"});

  EXPECT_THAT(outcome.parsed.options.value().device.name, IsEmpty());
}

TEST(Options, Create_IsIfMissingOrNever) {
  EXPECT_EQ(options_with({"--create", "never"}).state.create, CreateState::never);
  EXPECT_EQ(options_with({"--create", "if-missing"}).state.create, CreateState::if_missing);
}

TEST(Options, Sync_SaysHowFarAStoreGoes) {
  EXPECT_EQ(options_with({"--sync", "none"}).state.sync, Sync::none);
  EXPECT_EQ(options_with({"--sync", "full"}).state.sync, Sync::full);
}

TEST(Options, StateWait_NeverMakesATpm) {
  Options options = options_with({"--state-wait"});

  EXPECT_TRUE(options.state.wait);
  EXPECT_EQ(options.state.create, CreateState::never);
}

TEST(Options, Key_IsASourceThatIsReadLater) {
  EXPECT_EQ(options_with({"--key", "file=/not/there"}).key, "file=/not/there");
}

TEST(Options, Tpm_Is20Or12) {
  EXPECT_EQ(options_with({"--tpm", "1.2"}).tpm, TpmVersion::tpm12);
  EXPECT_EQ(options_with({"--tpm", "2.0"}).tpm, TpmVersion::tpm20);
}

TEST(Options, User_IsTakenByNameWithItsOwnGroup) {
  auto user = options_with({"--user", "nobody"}).run_as.value();

  EXPECT_EQ(user.name, "nobody");
  EXPECT_EQ(user.user, 65534u);
  EXPECT_EQ(user.group, 65534u);
}

TEST(Options, UserAndGroup_AreTakenByNameOrNumber) {
  auto named = options_with({"--user", "nobody:daemon"}).run_as.value();
  EXPECT_EQ(named.user, 65534u);
  EXPECT_EQ(named.group, 1u);

  auto numbered = options_with({"--user", "4711:4712"}).run_as.value();
  EXPECT_EQ(numbered.user, 4711u);
  EXPECT_EQ(numbered.group, 4712u);
}

TEST(Options, Sandbox_IsOnLogOrOff) {
  EXPECT_EQ(options_with({"--sandbox", "on"}).sandbox, SandboxMode::on);
  EXPECT_EQ(options_with({"--sandbox", "log"}).sandbox, SandboxMode::log);
  EXPECT_EQ(options_with({"--sandbox", "off"}).sandbox, SandboxMode::off);
}

TEST(Options, Power_IsOnOffOrAtOpen) {
  EXPECT_EQ(options_with({"--power", "on"}).power, InitialPower::on);
  EXPECT_EQ(options_with({"--power", "off"}).power, InitialPower::off);
  EXPECT_EQ(options_with({"--power", "at-open"}).power, InitialPower::at_open);
}

TEST(Options, Startup_IsClearStateOrNone) {
  EXPECT_EQ(options_with({"--startup", "clear"}).startup, StartupType::clear);
  EXPECT_EQ(options_with({"--startup", "state"}).startup, StartupType::state);
  EXPECT_EQ(options_with({"--startup", "none"}).startup, std::nullopt);
}

TEST(Options, LogLevel_IsOneOfFour) {
  EXPECT_EQ(options_with({"--log-level", "error"}).log_level, log::Level::error);
  EXPECT_EQ(options_with({"--log-level", "warning"}).log_level, log::Level::warning);
  EXPECT_EQ(options_with({"--log-level", "info"}).log_level, log::Level::info);
  EXPECT_EQ(options_with({"--log-level", "debug"}).log_level, log::Level::debug);
}

TEST(Options, Numbers_AreTaken) {
  Options options = options_with({"--major", "240", "--minor", "77", "--buffer-size", "3968"});

  EXPECT_EQ(options.device.major, 240u);
  EXPECT_EQ(options.device.minor, 77);
  EXPECT_EQ(options.buffer_size, 3968u);
}

TEST(Options, FlagsAndTexts_AreTaken) {
  Options options = options_with({"--no-auto-shutdown", "--daemon", "--pid-file", "/run/vtpm.pid",
                                  "--profile", R"({"Name":"default-v1"})"});

  EXPECT_FALSE(options.auto_shutdown);
  EXPECT_TRUE(options.daemon);
  EXPECT_EQ(options.pid_file, "/run/vtpm.pid");
  EXPECT_EQ(options.profile, R"({"Name":"default-v1"})");
}

TEST(Options, Control_IsAllowedOnTheRawNodeUnlessNoneIsSaid) {
  EXPECT_TRUE(options_with({}).access.on_raw_node);
  EXPECT_TRUE(options_with({"--control", "allowed"}).access.on_raw_node);
  EXPECT_FALSE(options_with({"--control", "none"}).access.on_raw_node);
}

TEST(Options, Help_ListsEveryOptionAndEndsWithStatus0) {
  auto outcome = parse({"--help"});

  EXPECT_FALSE(outcome.parsed.options.has_value());
  EXPECT_EQ(outcome.parsed.exit_status, 0);
  for (const char* option :
       {"--device",  "--state",   "--create", "--state-wait", "--key",         "--sync",
        "--tpm",     "--profile", "--power",  "--startup",    "--buffer-size", "--no-auto-shutdown",
        "--major",   "--minor",   "--daemon", "--pid-file",   "--log-level",   "--control",
        "--version", "--help"}) {
    EXPECT_THAT(outcome.out, HasSubstr(option));
  }
}

TEST(Options, Help_IsInGroupsAndHasNothingOfTheLibrarys) {
  auto outcome = parse({"--help"});

  EXPECT_THAT(outcome.out, testing::AllOf(HasSubstr("Options: its state:"),
                                          HasSubstr("--tpm 2.0|1.2"), HasSubstr("(default: 2.0)")));
  for (const char* residue : {":{", "}=", " in [", "REQUIRED", ":{2.0"}) {
    EXPECT_THAT(outcome.out, testing::Not(HasSubstr(residue)));
  }
}

TEST(Options, MisspeltOption_IsToldWithWhatWasMeant) {
  auto outcome = parse_with({"--bufer-size", "3968"});

  EXPECT_EQ(outcome.parsed.exit_status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean --buffer-size?"));
}

TEST(Options, StatusGroup_MayReadTheControlNode) {
  Options alone = options_with({"--status-group", "0"});
  EXPECT_EQ(alone.access.status_group, gid_t{0});
  EXPECT_EQ(alone.control_permissions.group, "0");
  EXPECT_EQ(alone.control_permissions.mode, "0640");

  Options both = options_with({"--status-group", "0", "--control-group", "1"});
  EXPECT_EQ(both.control_permissions.group, "1");
  EXPECT_EQ(both.control_permissions.mode, "0664");
}

TEST(Options, StatusGroupThatIsNot_IsWrongUsage) {
  auto outcome = parse_with({"--status-group", "no-such-group"});

  EXPECT_EQ(outcome.parsed.exit_status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("there is no group 'no-such-group'"));
}

TEST(Options, WrongUsageUnderSystemd_IsAnErrorInTheJournal) {
  setenv("JOURNAL_STREAM", "8:1", 1);
  auto outcome = parse({"--device", "vtpm0"});
  unsetenv("JOURNAL_STREAM");

  EXPECT_THAT(outcome.err, StartsWith("<3>vtpmd: --state"));
}

TEST(Options, Version_IsToldAndEndsWithStatus0) {
  auto outcome = parse({"--version"});

  EXPECT_EQ(outcome.parsed.exit_status, 0);
  EXPECT_EQ(outcome.out, "vtpmd " VTPM_VERSION "\n");
}

struct Wrong {
  const char* name;
  std::vector<const char*> arguments;
  const char* message;
};

class WrongUsage : public testing::TestWithParam<Wrong> {};

TEST_P(WrongUsage, IsExplainedAndEndsWithStatus2) {
  auto outcome = parse(GetParam().arguments);

  EXPECT_FALSE(outcome.parsed.options.has_value());
  EXPECT_EQ(outcome.parsed.exit_status, 2);
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().message));
  EXPECT_THAT(outcome.err, StartsWith("vtpmd: "));
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
}

const std::vector<Wrong>& wrong_usages() {  // NOLINT(readability-function-size): a table
  static const std::vector<Wrong> usages = {
      {"NoDevice", {"--state", "dir:/x"}, "--device"},
      {"NoState", {"--device", "vtpm0"}, "--state"},
      {"Unknown", {"--device", "vtpm0", "--state", "dir:/x", "--nonsense"}, "--nonsense"},
      {"Misspelled", {"--device", "vtpm0", "--sate", "dir:/x"}, "--sate"},
      {"Surplus", {"--device", "vtpm0", "--state", "dir:/x", "surplus"}, "surplus"},
      {"ForeignName", {"--device", "tpm0", "--state", "dir:/x"}, "'tpm0' is no device name"},
      {"PathAsName", {"--device", "/dev/vtpm0", "--state", "dir:/x"}, "is no device name"},
      {"StateWithoutKind", {"--device", "vtpm0", "--state", "/x"}, "is no state location"},
      {"FileWithoutPath", {"--device", "vtpm0", "--state", "file:"}, "is no state location"},
      {"SyncWord", {"--device", "vtpm0", "--state", "dir:/x", "--sync", "some"}, "--sync"},
      {"ControlWord", {"--device", "vtpm0", "--state", "dir:/x", "--control", "raw"}, "--control"},
      {"WaitAtOpen",
       {"--device", "vtpm0", "--state", "dir:/x", "--state-wait", "--power", "at-open"},
       "--state-wait needs"},
      {"ManagedTpm12",
       {"--device", "vtpm0", "--state", "dir:/x", "--tpm", "1.2", "--resource-manager", "on"},
       "needs a TPM 2.0"},
      {"ManagedWord",
       {"--device", "vtpm0", "--state", "dir:/x", "--resource-manager", "yes"},
       "--resource-manager"},
      {"ManagedMode", {"--device", "vtpm0", "--state", "dir:/x", "--rm-mode", "rw"}, "is no mode"},
      {"ManagedObjects",
       {"--device", "vtpm0", "--state", "dir:/x", "--rm-objects", "2"},
       "--rm-obj"},
      {"ManagedOwner",
       {"--device", "vtpm0", "--state", "dir:/x", "--rm-owner", "nobody-at-all"},
       "--rm-owner"},
      {"KeyAsPath", {"--device", "vtpm0", "--state", "file:/x", "--key", "/x"}, "--key: '/x'"},
      {"KeyOfSwtpmsWords",
       {"--device", "vtpm0", "--state", "file:/x", "--key", "file=/x,mode=aes-256-cbc"},
       "--key: 'mode'"},
      {"KeyMode",
       {"--device", "vtpm0", "--state", "dir:/x", "--key", "file=/x,mode=aes"},
       "--key: 'aes'"},
      {"KeyFormat",
       {"--device", "vtpm0", "--state", "file:/x", "--key", "file=/x,format=base64"},
       "--key: 'base64'"},
      {"KeyDescriptor",
       {"--device", "vtpm0", "--state", "file:/x", "--key", "fd=three"},
       "--key: 'three'"},
      {"MigrationKeyTwice",
       {"--device", "vtpm0", "--state", "dir:/x", "--migration-key", "file=/x,fd=3"},
       "--migration-key: name one of"},
      {"MigrationKeyKdf",
       {"--device", "vtpm0", "--state", "dir:/x", "--migration-key", "pwdfile=/x,kdf=md5"},
       "--migration-key: 'md5'"},
      {"StateWithoutPath", {"--device", "vtpm0", "--state", "dir:"}, "is no state location"},
      {"Tpm3", {"--device", "vtpm0", "--state", "dir:/x", "--tpm", "3.0"}, "'3.0' is not one of"},
      {"PowerAsNumber", {"--device", "vtpm0", "--state", "dir:/x", "--power", "1"}, "not one of"},
      {"StartupWord", {"--device", "vtpm0", "--state", "dir:/x", "--startup", "warm"}, "--startup"},
      {"CreateWord", {"--device", "vtpm0", "--state", "dir:/x", "--create", "ever"}, "--create"},
      {"LevelWord",
       {"--device", "vtpm0", "--state", "dir:/x", "--log-level", "all"},
       "--log-level"},
      {"BufferTooLarge",
       {"--device", "vtpm0", "--state", "dir:/x", "--buffer-size", "4097"},
       "--buffer-size"},
      {"BufferOfNothing",
       {"--device", "vtpm0", "--state", "dir:/x", "--buffer-size", "0"},
       "--buffer-size"},
      {"UnknownUser",
       {"--device", "vtpm0", "--state", "dir:/x", "--user", "no-such-user"},
       "no user 'no-such-user'"},
      {"UnknownUsersGroup",
       {"--device", "vtpm0", "--state", "dir:/x", "--user", "nobody:no-such-group"},
       "no group 'no-such-group'"},
      {"UserNumberWithoutGroup",
       {"--device", "vtpm0", "--state", "dir:/x", "--user", "4711"},
       "USER:GROUP"},
      {"EmptyUser", {"--device", "vtpm0", "--state", "dir:/x", "--user", ""}, "--user"},
      {"SandboxWord", {"--device", "vtpm0", "--state", "dir:/x", "--sandbox", "no"}, "--sandbox"},
      {"MajorTooLarge", {"--device", "vtpm0", "--state", "dir:/x", "--major", "512"}, "--major"},
      {"MinorTooLarge",
       {"--device", "vtpm0", "--state", "dir:/x", "--minor", "1048576"},
       "--minor"},
      {"MinorNegative", {"--device", "vtpm0", "--state", "dir:/x", "--minor", "-2"}, "--minor"},
  };
  return usages;
}

INSTANTIATE_TEST_SUITE_P(Options, WrongUsage, testing::ValuesIn(wrong_usages()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace vtpm
