#include "cuse/daemon/configured_arguments.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfiguredArguments : public testing::Test {
 protected:
  Result<Words> with(const Words& words) {
    return with_configuration(words, {root_, "/state", "/run"}, [](const std::string& key) {
      return key == "device" || key == "tpm" || key == "migration" || key == "name";
    });
  }
  void configure(const char* name, const char* text) {
    std::ofstream(root_ / (std::string(name) + ".toml")) << text;
  }

  TemporaryDirectory directory_;
  std::filesystem::path root_ = directory_.path();
};

TEST_F(ConfiguredArguments, WithoutNameOrFile_AreTheCommandLine) {
  EXPECT_THAT(with({"--device", "vtpm0"}).value(), ElementsAre("--device", "vtpm0"));
}

TEST_F(ConfiguredArguments, Name_BringsItsFileAndItsState) {
  configure("web01", "device = \"vtpm3\"\nmigration = [\"a\", \"b\"]\n");

  EXPECT_THAT(with({"--name", "web01"}).value(),
              ElementsAre("--name", "web01", "--device=vtpm3", "--migration=a", "--migration=b",
                          "--state=file:/state/web01/state"));
}

TEST_F(ConfiguredArguments, CommandLine_WinsOverTheFile) {
  configure("web01", "device = \"vtpm3\"\ntpm = \"1.2\"\n");

  EXPECT_THAT(with({"--name=web01", "--device=vtpm9", "--state", "dir:/x"}).value(),
              ElementsAre("--name=web01", "--device=vtpm9", "--state", "dir:/x", "--tpm=1.2"));
}

TEST_F(ConfiguredArguments, File_CanBeNamed) {
  configure("other", "tpm = \"1.2\"\n");

  EXPECT_THAT(with({"--config", (root_ / "other.toml").string()}).value().back(), "--tpm=1.2");
}

TEST_F(ConfiguredArguments, UnknownKey_IsRefusedWithItsLine) {
  configure("web01", "tpm = \"1.2\"\nnonsense = 1\n");

  EXPECT_THAT(with({"--name", "web01"}).error().message, HasSubstr("web01.toml:2: 'nonsense'"));
}

TEST_F(ConfiguredArguments, KeyOfTheCommandLineAlone_IsRefused) {
  configure("web01", "name = \"web02\"\n");

  EXPECT_EQ(with({"--name", "web01"}).error().code, Errc::invalid);
}

TEST_F(ConfiguredArguments, NameThatIsAPath_IsRefused) {
  EXPECT_EQ(with({"--name", "../web01"}).error().code, Errc::invalid);
}

TEST_F(ConfiguredArguments, MissingFile_IsNotFound) {
  EXPECT_EQ(with({"--name", "web01"}).error().code, Errc::not_found);
}

}  // namespace
}  // namespace vtpm
