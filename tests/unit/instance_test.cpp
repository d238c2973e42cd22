#include "ctl/config/instance.h"

#include <gtest/gtest.h>

namespace vtpm {
namespace {

TEST(InstanceName, OfVirtualMachines_IsTaken) {
  for (const char* name : {"web01", "a", "Web-01.example_x", "7f3d1c9e-2a4b-4c1d-9e8f-0a1b2c3d4e5f",
                           "vtpm", "vtpmx", "vtpm0a", "9lives"}) {
    EXPECT_EQ(check_instance_name(name).has_value(), std::string(name) != "vtpm") << name;
  }
}

TEST(InstanceName, ThatCouldBeAPathOptionOrDevice_IsRefused) {
  for (const char* name : {"", ".", "..", "-x", ".hidden", "_x", "a/b", "a b", "a\n", "a%i", "a@b",
                           "vtpm0", "vtpmctl7", "vtpmrm12", "web-ctl", "web-rm"}) {
    EXPECT_FALSE(check_instance_name(name).has_value()) << name;
  }
}

TEST(InstanceName, LongerThan64_IsRefused) {
  EXPECT_TRUE(check_instance_name(std::string(64, 'a')).has_value());
  EXPECT_FALSE(check_instance_name(std::string(65, 'a')).has_value());
}

TEST(EncodedName, ThereAndBack_IsTheName) {
  EXPECT_EQ(encode_instance_name("web-01.x"), "7765622d30312e78");
  EXPECT_EQ(decode_instance_name(encode_instance_name("web-01.x")).value(), "web-01.x");
}

TEST(EncodedName, ThatIsNone_IsRefused) {
  for (const char* encoded : {"", "7", "776", "7g", "2e2e2f61", "00", "7A7A"}) {
    EXPECT_FALSE(decode_instance_name(encoded).has_value()) << encoded;
  }
}

}  // namespace
}  // namespace vtpm
