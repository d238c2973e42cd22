#include "cuse/channel/udev_properties.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

class UdevProperties : public testing::Test {
 protected:
  std::string text() const {
    std::ostringstream content;
    content << std::ifstream(root_ / "run/vtpm3").rdbuf();
    return content.str();
  }
  void write(const NodeProperties& properties) {
    ASSERT_TRUE(write_node_properties(root_ / "run", "vtpm3", properties).has_value());
  }
  TemporaryDirectory directory_;
  std::filesystem::path root_ = directory_.path();
};

TEST_F(UdevProperties, Named_TellNameKindAndPermissions) {
  write({"web01", "raw", {"alice", "vm", "0660"}});

  EXPECT_EQ(text(),
            "VTPM_NODE=raw\nVTPM_NAME=web01\nVTPM_OWNER=alice\nVTPM_GROUP=vm\nVTPM_MODE=0660\n");
}

TEST_F(UdevProperties, WhatIsNotSaid_IsNotThere) {
  write({"web01", "control", {}});

  EXPECT_EQ(text(), "VTPM_NODE=control\nVTPM_NAME=web01\n");
}

TEST_F(UdevProperties, OfNobody_RemoveWhatAnotherLeft) {
  write({"web01", "raw", {}});

  write({"", "raw", {}});

  EXPECT_FALSE(std::filesystem::exists(root_ / "run/vtpm3"));
}

TEST_F(UdevProperties, OfNobody_WhereNothingIs_AreNoError) {
  write({"", "raw", {}});
}

TEST_F(UdevProperties, LinkInTheirPlace_IsReplacedAndNotFollowed) {
  std::filesystem::create_directories(root_ / "run");
  std::ofstream(root_ / "victim") << "precious";
  std::filesystem::create_symlink(root_ / "victim", root_ / "run/vtpm3");

  write({"web01", "raw", {}});

  EXPECT_EQ(std::filesystem::file_size(root_ / "victim"), 8u);
  EXPECT_FALSE(std::filesystem::is_symlink(root_ / "run/vtpm3"));
}

}  // namespace
}  // namespace vtpm
