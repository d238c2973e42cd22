#include "cuse/channel/device_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temporary_directory.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

TEST(DeviceName, Index_IsTheNumberAfterVtpm) {
  EXPECT_EQ(index_of_device("vtpm0"), 0u);
  EXPECT_EQ(index_of_device("vtpm7"), 7u);
  EXPECT_EQ(index_of_device("vtpm65535"), 65535u);
}

TEST(DeviceName, AnythingElse_IsNoDeviceName) {
  for (const char* name : {"", "vtpm", "vtpm07", "vtpm00", "vtpm65536", "vtpm99999999999", "vtpm-1",
                           "vtpm+1", "vtpm 1", "vtpm1 ", "vtpm1x", "vtpmrm0", "vtpmctl0", "tpm0",
                           "VTPM0", "../vtpm0", "vtpm0/"}) {
    EXPECT_EQ(index_of_device(name), std::nullopt) << '"' << name << '"';
  }
}

// A host in a temporary directory.
class DeviceRegistryTest : public testing::Test {
 protected:
  void add_device(const std::string& name, const std::string& numbers) {
    host_.write("sys/class/cuse/" + name + "/dev", numbers + "\n");
    host_.write("sys/dev/char/" + numbers + "/uevent", "");
  }
  void add_node(const std::string& name) { host_.write("dev/" + name, ""); }

  TemporaryDirectory host_;
  DeviceRegistry registry_{host_ / "sys", host_ / "dev"};
};

TEST_F(DeviceRegistryTest, HostWithoutCuse_HasNoDevicesAndAllNamesFree) {
  EXPECT_EQ(registry_.shared_major(), 0u);
  EXPECT_EQ(registry_.numbers_of("vtpm0"), std::nullopt);
  EXPECT_EQ(registry_.free_name().value(), "vtpm0");
}

TEST_F(DeviceRegistryTest, Device_HasTheNumbersOfSysfs) {
  add_device("vtpm3", "509:3");

  EXPECT_EQ(registry_.numbers_of("vtpm3"), (DeviceNumbers{509, 3}));
}

TEST_F(DeviceRegistryTest, DamagedNumbers_AreNone) {
  host_.write("sys/class/cuse/vtpm3/dev", "509 3\n");

  EXPECT_EQ(registry_.numbers_of("vtpm3"), std::nullopt);
}

TEST_F(DeviceRegistryTest, SharedMajor_IsThatOfVtpmDevicesOnly) {
  add_device("sound0", "240:0");
  add_device("vtpm3", "509:3");

  EXPECT_EQ(registry_.shared_major(), 509u);
}

TEST_F(DeviceRegistryTest, FreeName_IsTheLowestGap) {
  add_device("vtpm0", "509:0");
  add_device("vtpm2", "509:2");
  add_node("vtpm1");

  EXPECT_EQ(registry_.free_name().value(), "vtpm3");
}

TEST_F(DeviceRegistryTest, NameWhoseManagedNodeIsTaken_IsNotFree) {
  add_device("vtpmrm0", "509:65536");

  EXPECT_EQ(registry_.free_name().value(), "vtpm1");
}

TEST_F(DeviceRegistryTest, NameOfADevice_IsBusy) {
  add_device("vtpm0", "509:0");

  auto free = registry_.check_free("vtpm0");

  ASSERT_FALSE(free.has_value());
  EXPECT_EQ(free.error().code, Errc::busy);
  EXPECT_THAT(free.error().message, HasSubstr("another daemon"));
}

TEST_F(DeviceRegistryTest, NameOfAPlainFile_IsBusyAndNamesIt) {
  add_node("vtpm0");

  auto free = registry_.check_free("vtpm0");

  ASSERT_FALSE(free.has_value());
  EXPECT_EQ(free.error().code, Errc::busy);
  EXPECT_THAT(free.error().message, HasSubstr(host_ / "dev/vtpm0"));
}

TEST_F(DeviceRegistryTest, NameOfADanglingLink_IsBusy) {
  std::filesystem::create_directories(host_ / "dev");
  std::filesystem::create_symlink("nowhere", host_ / "dev/vtpm0");

  EXPECT_FALSE(registry_.check_free("vtpm0").has_value());
}

TEST_F(DeviceRegistryTest, FreeName_IsFree) {
  EXPECT_TRUE(registry_.check_free("vtpm0").has_value());
}

TEST_F(DeviceRegistryTest, NumbersOfACharacterDevice_AreBusy) {
  add_device("vtpm3", "509:3");

  auto free = registry_.check_free(DeviceNumbers{509, 3});

  ASSERT_FALSE(free.has_value());
  EXPECT_EQ(free.error().code, Errc::busy);
  EXPECT_THAT(free.error().message, HasSubstr("509:3"));
  EXPECT_TRUE(registry_.check_free(DeviceNumbers{509, 4}).has_value());
}

TEST_F(DeviceRegistryTest, MajorZero_IsAlwaysFree) {
  add_device("vtpm3", "0:3");

  EXPECT_TRUE(registry_.check_free(DeviceNumbers{0, 3}).has_value());
}

TEST_F(DeviceRegistryTest, VerifyOfNoDevice_IsNotFound) {
  EXPECT_EQ(registry_.verify("vtpm0").error().code, Errc::not_found);
}

TEST_F(DeviceRegistryTest, VerifyOfADeviceWithoutANode_NamesTheNode) {
  add_device("vtpm0", "509:0");

  auto verified = registry_.verify("vtpm0");

  ASSERT_FALSE(verified.has_value());
  EXPECT_EQ(verified.error().code, Errc::not_found);
  EXPECT_THAT(verified.error().message, HasSubstr(host_ / "dev/vtpm0"));
}

TEST_F(DeviceRegistryTest, VerifyOfANodeThatIsAFile_IsBusy) {
  add_device("vtpm0", "509:0");
  add_node("vtpm0");

  EXPECT_EQ(registry_.verify("vtpm0").error().code, Errc::busy);
}

// /dev/null stands for a device node, which only root could make: character device 1:3.
TEST_F(DeviceRegistryTest, VerifyOfANodeWithTheDevicesNumbers_GivesThem) {
  add_device("null", "1:3");
  DeviceRegistry registry(host_ / "sys", "/dev");

  EXPECT_EQ(registry.verify("null").value(), (DeviceNumbers{1, 3}));
}

TEST_F(DeviceRegistryTest, VerifyOfANodeWithOtherNumbers_IsBusy) {
  add_device("null", "509:0");
  DeviceRegistry registry(host_ / "sys", "/dev");

  EXPECT_EQ(registry.verify("null").error().code, Errc::busy);
}

TEST_F(DeviceRegistryTest, Node_IsTheNameUnderDev) {
  EXPECT_EQ(DeviceRegistry().node("vtpm0"), "/dev/vtpm0");
}

}  // namespace
}  // namespace vtpm
