#include "cuse/daemon/service_notifier.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT: setenv

#include "tests/support/datagram_receiver.h"

namespace vtpm {
namespace {

class ServiceNotifierTest : public testing::Test {
 protected:
  void TearDown() override { unsetenv("NOTIFY_SOCKET"); }

  static ServiceNotifier connect_to(const std::string& address) {
    setenv("NOTIFY_SOCKET", address.c_str(), 1);
    return ServiceNotifier::connect();
  }
};

TEST_F(ServiceNotifierTest, Path_IsTold) {
  DatagramReceiver manager;

  connect_to(manager.path()).tell("READY=1\nSTATUS=up");

  EXPECT_EQ(manager.receive(), "READY=1\nSTATUS=up");
}

TEST_F(ServiceNotifierTest, AbstractAddress_IsTold) {
  DatagramReceiver manager("@vtpm-test-" + std::to_string(getpid()));

  connect_to(manager.path()).tell("STOPPING=1");

  EXPECT_EQ(manager.receive(), "STOPPING=1");
}

TEST_F(ServiceNotifierTest, NobodyThere_IsNoFailure) {
  unsetenv("NOTIFY_SOCKET");
  ServiceNotifier::connect().tell("READY=1");
  connect_to("/no/such/socket").tell("READY=1");
  connect_to(std::string(200, 'x')).tell("READY=1");
}

}  // namespace
}  // namespace vtpm
