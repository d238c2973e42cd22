// The real TPM behind the wire: libtpms computing while other threads serve the channel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <vtpm/ioctl.h>

#include "engine/tpm/libtpms_engine.h"
#include "tests/support/hex.h"
#include "tests/support/memory_store.h"
#include "tests/support/wired_tpm.h"

namespace vtpm {
namespace {

// TPM2_CreatePrimary in the owner hierarchy: an RSA 3072 storage key, empty authorisation. `salt`
// makes every key a new one.
Bytes create_rsa_primary(uint8_t salt) {
  Bytes unique(1, std::byte{salt});
  Bytes area =
      BigEndianWriter()
          .u16(0x0001)      // TPM_ALG_RSA
          .u16(0x000B)      // TPM_ALG_SHA256
          .u32(0x00030072)  // fixedTPM, fixedParent, origin, userWithAuth, restricted, decrypt
          .u16(0)
          .u16(0x0006)
          .u16(128)
          .u16(0x0043)  // AES 128 CFB
          .u16(0x0010)  // no scheme
          .u16(3072)
          .u32(0)
          .u16(static_cast<uint16_t>(unique.size()))
          .bytes(unique)
          .take();
  Bytes parameters = BigEndianWriter()
                         .u16(4)
                         .u16(0)
                         .u16(0)
                         .u16(static_cast<uint16_t>(area.size()))
                         .bytes(area)
                         .u16(0)
                         .u32(0)
                         .take();
  return tpm2_command_with_password(cc::create_primary, hex("40000001"), parameters);
}

Bytes flush(ByteView create_response) {
  return tpm2_command(CommandCode{0x165}, create_response.subspan(kHeaderSize, 4));
}

class LibtpmsOnTheWire : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(wired.tpm.power_on());
    ASSERT_TRUE(wired.tpm.startup(StartupType::clear));
    file = kernel.open_file();
  }

  MemoryStore store;
  std::unique_ptr<LibtpmsEngine> engine = *LibtpmsEngine::create({}, store);
  WiredTpm wired{*engine, store};
  WireKernel& kernel = wired.kernel;
  uint64_t file = 0;
};

TEST_F(LibtpmsOnTheWire, Command_IsAnsweredByARealTpm) {
  ASSERT_EQ(kernel.write(file, get_random(20)).error, 0);
  EXPECT_EQ(kernel.read(file).body.size(), kHeaderSize + 2 + 20);
}

TEST_F(LibtpmsOnTheWire, Lockout_IsTheRealTpmsAndNobodysCommand) {
  uint64_t before = wired.tpm.commands();

  auto lockout = wired.tpm.lockout();

  ASSERT_TRUE(lockout.has_value());
  EXPECT_EQ(lockout->failed, 0u);
  EXPECT_GT(lockout->limit, 0u);
  EXPECT_GT(lockout->recovery, 0u);
  EXPECT_EQ(wired.tpm.commands(), before);
}

TEST_F(LibtpmsOnTheWire, KeyGeneration_IsPolledQueriedAndEndsWell) {
  for (uint8_t salt = 0; salt < 3; ++salt) {
    ASSERT_EQ(kernel.write(file, create_rsa_primary(salt), O_NONBLOCK).error, 0);
    while (kernel.poll(file, POLLIN, true) == 0) {
      ASSERT_EQ(kernel.ioctl(file, VTPM_GET_CAPABILITY, {}, 8).error, 0);
    }
    Bytes response = kernel.read(file).body;
    ASSERT_EQ(response_code(response), rc::success);
    ASSERT_EQ(kernel.write(file, flush(response)).error, 0);
    ASSERT_EQ(response_code(kernel.read(file).body), rc::success);
  }
}

TEST_F(LibtpmsOnTheWire, KeyGenerationAndACancelBesideIt_LeaveAUsableTpm) {
  for (uint8_t salt = 10; salt < 20; ++salt) {
    auto write = kernel.send_write(file, create_rsa_primary(salt));
    ASSERT_EQ(kernel.ioctl(file, VTPM_CANCEL_TPM_CMD, {}, 4).error, 0);
    ASSERT_EQ(kernel.wait(write).error, 0);
    Bytes response = kernel.read(file).body;
    if (response_code(response) == rc::success) {
      ASSERT_EQ(kernel.write(file, flush(response)).error, 0);
      kernel.read(file);
    }
    ASSERT_EQ(kernel.write(file, get_random(4)).error, 0);
    ASSERT_EQ(response_code(kernel.read(file).body), rc::success);
  }
}

}  // namespace
}  // namespace vtpm
