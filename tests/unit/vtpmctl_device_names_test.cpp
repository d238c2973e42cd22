// What leads to a virtual TPM's control node: names, paths, links and other nodes of its number.
#include "ctl/tool/device/device_names.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

class DeviceNames : public testing::Test {
 protected:
  DeviceNames() {
    std::filesystem::create_directories(root_ / "dev/vtpm/by-name");
    std::filesystem::create_directories(root_ / "class/vtpm7");
    for (const char* node : {"dev/vtpm7", "dev/vtpmrm7", "dev/vtpmctl7"}) {
      std::ofstream(root_ / node) << "";
    }
    link("dev/vtpm/by-name/web01", "dev/vtpm7");
    link("dev/vtpm/by-name/web01-rm", "dev/vtpmrm7");
    link("dev/vtpm/by-name/web01-ctl", "dev/vtpmctl7");
    std::ofstream(root_ / "class/vtpm7/dev") << "1:3\n";  // as /dev/null's
  }
  void link(const char* from, const char* to) {
    std::filesystem::create_symlink(root_ / to, root_ / from);
  }
  std::string path(const char* name) const { return (root_ / name).string(); }

  TemporaryDirectory directory_;
  std::filesystem::path root_ = directory_.path();
  DevicePaths paths_{path("dev"), path("class")};
};

TEST_F(DeviceNames, EveryWayToTheRawNode_LeadsToTheControlNode) {
  link("elsewhere", "dev/vtpm/by-name/web01");
  for (const std::string& name :
       {std::string("vtpm7"), std::string("vtpmrm7"), std::string("vtpmctl7"), std::string("web01"),
        path("dev/vtpm7"), path("dev/vtpmrm7"), path("dev/vtpm/by-name/web01"),
        path("dev/vtpm/by-name/web01-rm"), path("dev/vtpm/by-name/web01-ctl"), path("elsewhere"),
        std::string("/dev/null")}) {
    EXPECT_EQ(control_node(paths_, name).value(), path("dev/vtpmctl7")) << name;
    EXPECT_EQ(raw_device(paths_, name), "vtpm7") << name;
  }
}

TEST_F(DeviceNames, AnotherNodeOfTheManagedNodesNumber_LeadsToTheControlNode) {
  std::filesystem::create_directories(root_ / "class/vtpmrm7");
  std::ofstream(root_ / "class/vtpmrm7/dev") << "1:5\n";  // as /dev/zero's

  EXPECT_EQ(control_node(paths_, "/dev/zero").value(), path("dev/vtpmctl7"));
}

TEST_F(DeviceNames, ManagedNode_IsThatBesideTheDeviceOrNone) {
  EXPECT_EQ(managed_node(paths_, "vtpm7"), path("dev/vtpmrm7"));
  EXPECT_EQ(managed_node(paths_, "vtpm8"), "");
  EXPECT_EQ(managed_node(paths_, ""), "");
}

TEST_F(DeviceNames, WithoutAControlNode_ItIsTheRawOne) {
  std::filesystem::remove(path("dev/vtpmctl7"));

  EXPECT_EQ(control_node(paths_, path("dev/vtpm/by-name/web01")).value(), path("dev/vtpm7"));
}

TEST_F(DeviceNames, PathOfNoVirtualTpm_IsGivenBack) {
  EXPECT_EQ(control_node(paths_, "/dev/zero").value(), "/dev/zero");
  EXPECT_EQ(control_node(paths_, path("missing")).value(), path("missing"));
  EXPECT_EQ(raw_device(paths_, "/dev/zero"), std::nullopt);
}

TEST_F(DeviceNames, LinksToADevice_AreThoseToItsRawNode) {
  EXPECT_THAT(links_to(paths_, "vtpm7"), testing::ElementsAre(path("dev/vtpm/by-name/web01")));
  EXPECT_THAT(links_to(paths_, "vtpm8"), testing::IsEmpty());
}

}  // namespace
}  // namespace vtpm
