// Root of the daemon's system and root of a container, by what /proc says of them.
#include "cuse/nodes/host_root.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace vtpm {
namespace {

const std::string kAll = "000001ffffffffff";
const std::string kDocker = "00000000a80425fb";  // of a container without further rights
const std::string kHostMap = "         0          0 4294967295\n";

ThreadStanding thread(const std::string& capabilities, const std::string& numbers,
                      const std::string& user_map) {
  return {"Name:\tsh\nNSpid:\t" + numbers + "\nCapPrm:\t" + kAll + "\nCapEff:\t" + capabilities +
              "\nCapBnd:\t" + kAll + "\n",
          user_map};
}

const ThreadStanding kDaemon = thread("0000000000000000", "77", kHostMap);

TEST(HostRoot, AllCapabilitiesInTheDaemonsNamespaces_IsRoot) {
  EXPECT_TRUE(is_root_beside(thread(kAll, "815", kHostMap), kDaemon));
}

TEST(HostRoot, WithoutTheCapabilityToAdminister_IsNot) {
  EXPECT_FALSE(is_root_beside(thread(kDocker, "815", kHostMap), kDaemon));
}

TEST(HostRoot, InAnotherUserNamespaceThatMaps0To0_IsNot) {
  EXPECT_FALSE(is_root_beside(thread(kAll, "815", "         0          0      65536\n"), kDaemon));
}

TEST(HostRoot, InAPidNamespaceBelow_IsNot) {
  EXPECT_FALSE(is_root_beside(thread(kAll, "815\t1", kHostMap), kDaemon));
}

TEST(HostRoot, BesideADaemonInAPidNamespaceOfItsOwn_IsRoot) {
  auto daemon = thread("0000000000000000", "77\t1", kHostMap);

  EXPECT_TRUE(is_root_beside(thread(kAll, "815\t2", kHostMap), daemon));
  EXPECT_TRUE(is_root_beside(thread(kAll, "815", kHostMap), daemon)) << "above it";
}

TEST(HostRoot, InAKernelWithoutPidNamespaces_IsRoot) {
  ThreadStanding opener{"Name:\tsh\nCapEff:\t" + kAll + "\n", kHostMap};

  EXPECT_TRUE(is_root_beside(opener, kDaemon));
}

TEST(HostRoot, OfWhomNothingCanBeRead_IsNot) {
  EXPECT_FALSE(is_root_beside({}, kDaemon));
  EXPECT_FALSE(is_root_beside({"Name:\tsh\nCapEff:\t" + kAll + "\n", ""}, {"", ""}));
  EXPECT_FALSE(is_root_beside({"Name:\tsh\nCapEff:\tno number\n", kHostMap}, kDaemon));
}

TEST(HostRoot, AProcessNamedLikeAField_IsReadByItsLinesAlone) {
  ThreadStanding opener{"Name:\tCapEff:\t" + kAll + "\nCapEff:\t" + kDocker + "\n", kHostMap};

  EXPECT_FALSE(is_root_beside(opener, kDaemon));
}

TEST(HostRoot, AThreadThatIsNotThere_IsNot) {
  EXPECT_FALSE(is_hosts_root(0));
  EXPECT_FALSE(is_hosts_root(-1));
}

}  // namespace
}  // namespace vtpm
