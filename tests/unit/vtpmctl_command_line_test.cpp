#include "ctl/tool/cli/command_line.h"

#include <gmock/gmock.h>

#include <sstream>

#include "tests/support/hex.h"

namespace vtpm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class VtpmctlLine : public testing::Test {
 protected:
  ParsedArguments parse(std::vector<const char*> words) {
    words.insert(words.begin(), "vtpmctl");
    return parse_command_line(static_cast<int>(words.size()), words.data(), out_, err_);
  }
  Arguments arguments(const std::vector<const char*>& words) {
    auto parsed = parse(words);
    EXPECT_TRUE(parsed.arguments.has_value()) << err_.str();
    return parsed.arguments.value_or(Arguments{});
  }
  void expect_usage_error(const std::vector<const char*>& words, const char* named) {
    EXPECT_EQ(parse(words).exit_status, 2);
    EXPECT_THAT(err_.str(), HasSubstr(named));
    EXPECT_THAT(out_.str(), IsEmpty());
    err_.str("");
  }

  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(VtpmctlLine, Help_GoesToStandardOutput) {
  EXPECT_EQ(parse({"--help"}).exit_status, 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("status"), HasSubstr("Exit status")));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(VtpmctlLine, Power_HasThreeVerbs) {
  EXPECT_EQ(arguments({"power", "on", "vtpm0"}).verb, Verb::power_on);
  EXPECT_EQ(arguments({"power", "off", "vtpm0"}).verb, Verb::power_off);
  Arguments reset =
      arguments({"power", "reset", "vtpm0", "--delete-volatile", "--startup", "state"});
  EXPECT_EQ(reset.verb, Verb::power_reset);
  EXPECT_TRUE(reset.delete_volatile);
  EXPECT_EQ(reset.startup, StartupType::state);
}

TEST_F(VtpmctlLine, StateSave_NamesAFilePerBlob) {
  Arguments save = arguments({"state", "save", "vtpm0", "--permanent", "p", "--savestate", "s"});

  EXPECT_EQ(save.verb, Verb::state_save);
  EXPECT_EQ(save.blob_files, (std::array<std::string, 3>{"p", "", "s"}));
}

TEST_F(VtpmctlLine, StateRestore_WantsTheIdentityChosen) {
  EXPECT_TRUE(arguments({"state", "restore", "vtpm0", "f", "--same-identity"}).same_identity);
  EXPECT_TRUE(arguments({"state", "restore", "vtpm0", "f", "--fresh-identity"}).fresh_identity);
  expect_usage_error({"state", "restore", "vtpm0", "f"}, "--fresh-identity (it belongs to a clone");
  expect_usage_error({"state", "restore", "vtpm0", "f", "--same-identity", "--fresh-identity"},
                     "excludes");
}

TEST_F(VtpmctlLine, StateRekey_WantsTheNewKeyOrNone) {
  EXPECT_EQ(arguments({"state", "rekey", "file:f", "--new-key", "file=k"}).new_key, "file=k");
  EXPECT_TRUE(arguments({"state", "rekey", "file:f", "--remove-key"}).remove_key);
  expect_usage_error({"state", "rekey", "file:f"}, "--remove-key");
  expect_usage_error({"state", "rekey", "file:f", "--remove-key", "--new-key", "file=k"},
                     "excludes");
}

TEST_F(VtpmctlLine, Send_TakesHexOrStandardInput) {
  EXPECT_EQ(arguments({"send", "vtpm0", "80:01 00"}).command, hex("800100"));
  EXPECT_EQ(arguments({"send", "vtpm0", "-"}).command, std::nullopt);
  EXPECT_EQ(arguments({"send", "vtpm0", "00", "--locality", "3"}).locality, Locality{3});
}

TEST_F(VtpmctlLine, Defaults_AskAndChangeNothing) {
  Arguments size = arguments({"buffer-size", "vtpm0"});
  EXPECT_EQ(size.buffer_size, std::nullopt);
  EXPECT_EQ(arguments({"version", "vtpm0"}).version, std::nullopt);
  EXPECT_EQ(arguments({"established", "vtpm0"}).reset, std::nullopt);
  EXPECT_EQ(arguments({"lock", "vtpm0"}).retries, 0u);
  EXPECT_FALSE(size.json);
}

TEST_F(VtpmctlLine, WrongUsage_NamesWhatIsWrong) {
  expect_usage_error({"no-such-verb"}, "no-such-verb");
  expect_usage_error({"status"}, "DEV");
  expect_usage_error({"status", "vtpm0", "--no-such-option"}, "--no-such-option");
  expect_usage_error({"locality", "vtpm0", "5"}, "5");
  expect_usage_error({"established", "vtpm0", "--reset", "-2"}, "-2");
  expect_usage_error({"buffer-size", "vtpm0", "0"}, "0");
  expect_usage_error({"version", "vtpm0", "3.0"}, "3.0");
  expect_usage_error({"send", "vtpm0", "80 0"}, "80 0");
  expect_usage_error({"state", "save", "vtpm0"}, "--permanent");
  expect_usage_error({"state", "load", "vtpm0", "--volatile", ""}, "empty");
  expect_usage_error({"power", "on", "vtpm0", "--startup", "soon"}, "soon");
  expect_usage_error({"lock", "vtpm0", "--retries", "6001"}, "6001");
}

TEST_F(VtpmctlLine, KeyThatIsNoSource_IsWrongUsageOfItsOption) {
  expect_usage_error({"state", "backup", "web01", "f", "--key", "/path"}, "--key: '/path'");
  expect_usage_error({"state", "backup", "web01", "f", "--migration-key", "/path"},
                     "--migration-key: '/path'");
  expect_usage_error({"state", "restore", "web01", "f", "--same-identity", "--key", "file=a,fd=3"},
                     "--key: name one of");
  expect_usage_error({"state", "rekey", "web01", "--new-key", "format=hex"}, "--new-key: name one");
  expect_usage_error({"state", "import", "dir:a", "file:b", "--from-key", "a"}, "--from-key: 'a'");
  expect_usage_error({"state", "export", "web01", "dir:b", "--migration-key", "a"},
                     "--migration-key: 'a'");
  expect_usage_error({"create", "web01", "--from", "dir:a", "--from-key", "fd=x"},
                     "--from-key: 'x'");
}

TEST_F(VtpmctlLine, KeyOfTheOtherFormat_IsWrongUsageAtItsEnd) {
  const char* swtpms = "file=k,mode=aes-256-cbc";

  EXPECT_EQ(arguments({"state", "import", "dir:a", "file:b", "--from-key", swtpms}).from_key,
            swtpms);
  EXPECT_EQ(arguments({"state", "export", "file:b", "dir:a", "--key", swtpms}).key, swtpms);
  EXPECT_EQ(arguments({"create", "a", "--from", "dir:a", "--from-key", swtpms}).from_key, swtpms);
  expect_usage_error({"state", "import", "dir:a", "file:b", "--key", swtpms}, "--key: 'mode'");
  expect_usage_error({"state", "export", "file:b", "dir:a", "--from-key", swtpms},
                     "--from-key: 'mode'");
  expect_usage_error({"create", "a", "--from", "file:a", "--from-key", swtpms},
                     "--from-key: 'mode'");
}

// A script's variable that is not set must not leave a state unsealed.
TEST_F(VtpmctlLine, EmptyValue_IsWrongUsage) {
  expect_usage_error({"state", "backup", "web01", "f", "--key", ""}, "--key");
  expect_usage_error({"state", "rekey", "web01", "--new-key", ""}, "--new-key");
  expect_usage_error({"create", "web01", "--key", ""}, "--key");
}

TEST_F(VtpmctlLine, Status_TakesNamesOrAll) {
  EXPECT_EQ(arguments({"status", "vtpm0", "web01"}).names,
            (std::vector<std::string>{"vtpm0", "web01"}));
  EXPECT_TRUE(arguments({"status", "--all"}).all);
  expect_usage_error({"status"}, "DEV, or --all, is required");
  expect_usage_error({"status", "vtpm0", "--all"}, "excludes");
}

TEST_F(VtpmctlLine, Misspelling_IsToldWithWhatWasMeant) {
  expect_usage_error({"sttaus", "vtpm0"}, "did you mean status?");
  expect_usage_error({"power", "rset", "vtpm0"}, "did you mean reset?");
  expect_usage_error({"send", "vtpm0", "00", "--localty", "3"}, "did you mean --locality?");
}

TEST_F(VtpmctlLine, WordsInTheWrongOrder_AreToldInTheRightOne) {
  expect_usage_error({"power", "vtpm0", "reset"}, "the right order is: vtpmctl power reset vtpm0");
  expect_usage_error({"vtpm0", "status"}, "the right order is: vtpmctl status vtpm0");
}

TEST_F(VtpmctlLine, WrongUsageWithJson_IsAnObject) {
  EXPECT_EQ(parse({"status", "--json"}).exit_status, 2);
  EXPECT_THAT(err_.str(), AllOf(testing::StartsWith("{"), HasSubstr("\"exit_status\": 2")));
}

TEST_F(VtpmctlLine, Help_IsInGroupsAndHasNothingOfTheLibrarys) {
  parse({"--help"});
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("Look:"), HasSubstr("Power and version:"),
                                testing::Not(HasSubstr("Subcommands:"))));
  for (const char* verb : {"power", "state"}) {
    parse({verb, "--help"});
  }
  parse({"version", "--help"});
  parse({"lock", "--help"});
  parse({"create", "--help"});
  EXPECT_THAT(out_.str(), AllOf(testing::Not(HasSubstr(":{")), testing::Not(HasSubstr(" in [")),
                                testing::Not(HasSubstr("REQUIRED"))));
}

TEST(VtpmctlSyntax, EveryVerb_TakesJson) {
  for (const VerbSyntax& syntax : command_line_syntax()) {
    EXPECT_THAT(syntax.options, testing::Contains("--json")) << syntax.verb;
  }
}

TEST(ParseHex, DigitsWithSpacesAndColons_AreBytes) {
  EXPECT_EQ(parse_hex("80 01\n00:0C"), hex("8001000c"));
}

TEST(ParseHex, AnythingElse_IsNothing) {
  for (const char* text : {"", " ", "8", "8 0", "0x80", "80-01", "8g"}) {
    EXPECT_EQ(parse_hex(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace vtpm
