#include "ctl/config/settings.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SettingsTest : public testing::Test {
 protected:
  Result<std::vector<Setting>> read(const std::string& text) {
    std::ofstream(path_) << text;
    return read_settings(path_);
  }
  TemporaryDirectory directory_;
  std::string path_ = directory_.path() + "/settings.toml";
};

TEST_F(SettingsTest, Values_AreWordsOfACommandLine) {
  auto settings = read(
      "device = \"vtpm3\"\nbuffer-size = 3968\nno-auto-shutdown = true\n"
      "migration = [\"incoming\", \"release-lock-outgoing\"]\n");

  ASSERT_TRUE(settings.has_value());
  ASSERT_EQ(settings->size(), 4u);
  EXPECT_EQ((*settings)[0].key, "device");
  EXPECT_THAT((*settings)[0].values, ElementsAre("vtpm3"));
  EXPECT_THAT((*settings)[1].values, ElementsAre("3968"));
  EXPECT_THAT((*settings)[2].values, ElementsAre("true"));
  EXPECT_THAT((*settings)[3].values, ElementsAre("incoming", "release-lock-outgoing"));
  EXPECT_EQ((*settings)[3].line, 4u);
}

TEST_F(SettingsTest, WhatIsNoToml_IsToldWithItsLine) {
  EXPECT_THAT(read("device = \"vtpm3\"\nbuffer size\n").error().message, HasSubstr(path_ + ":2: "));
  EXPECT_EQ(read("a = 1\na = 2\n").error().code, Errc::invalid) << "twice the same key";
}

TEST_F(SettingsTest, ValuesThatNoOptionTakes_AreRefused) {
  for (const char* text : {"a = 1.5", "[a]\nb = 1", "a = 2026-11-21", "a = [[1]]", "a = {b = 1}"}) {
    EXPECT_EQ(read(text).error().code, Errc::invalid) << text;
  }
}

TEST_F(SettingsTest, MissingFile_IsNotFound) {
  EXPECT_EQ(read_settings(path_ + ".missing").error().code, Errc::not_found);
}

TEST_F(SettingsTest, HugeFile_IsRefused) {
  EXPECT_EQ(read(std::string(70000, '#')).error().code, Errc::invalid);
}

TEST_F(SettingsTest, WrittenLines_AreReadAsWhatTheyWere) {
  for (const char* value : {"vtpm3", "3968", "true", "0660", "0", "a \"quoted\" \\ thing", "2.0",
                            "99999999999999999999", "line\nbreak", ""}) {
    EXPECT_EQ(value_of(read(setting_line("key", value)).value(), "key"), value);
  }
}

}  // namespace
}  // namespace vtpm
