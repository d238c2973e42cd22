#include "engine/command/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/hex.h"

namespace vtpm {
namespace {

TEST(CommandHeader, TenBytes_AreTagSizeAndCode) {
  auto header = parse_command_header(hex("8001 0000000c 00000144"));

  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->tag, 0x8001);
  EXPECT_EQ(header->size, 12u);
  EXPECT_EQ(header->code, cc::startup);
}

TEST(CommandHeader, NineBytes_AreNoHeader) {
  EXPECT_FALSE(parse_command_header(hex("8001 0000000c 000001")).has_value());
  EXPECT_FALSE(parse_command_header({}).has_value());
}

TEST(ResponseHeader, MoreThanTenBytes_AreReadAsFarAsTheHeader) {
  auto header = parse_response_header(hex("8002 0000000e 00000922 ffffffff"));

  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->tag, 0x8002);
  EXPECT_EQ(header->size, 14u);
  EXPECT_EQ(header->code, rc::retry);
}

TEST(ResponseCode, OfAShortResponse_IsFailure) {
  EXPECT_EQ(response_code(hex("8001 0000000a 000000")), rc::failure);
  EXPECT_EQ(response_code({}), rc::failure);
}

TEST(ResponseCode, OfAnyResponse_IsItsHeaders) {
  EXPECT_EQ(response_code(hex("8001 0000000a 00000100")), rc::initialize);
}

TEST(StartupCommand, Tpm20_HasTheBytesOfTheSpecification) {
  EXPECT_EQ(startup_command(TpmVersion::tpm20, StartupType::clear),
            hex("8001 0000000c 00000144 0000"));
  EXPECT_EQ(startup_command(TpmVersion::tpm20, StartupType::state),
            hex("8001 0000000c 00000144 0001"));
}

TEST(StartupCommand, Tpm12_HasTheBytesOfTheSpecification) {
  EXPECT_EQ(startup_command(TpmVersion::tpm12, StartupType::clear),
            hex("00c1 0000000c 00000099 0001"));
  EXPECT_EQ(startup_command(TpmVersion::tpm12, StartupType::state),
            hex("00c1 0000000c 00000099 0002"));
}

TEST(ShutdownCommand, EachType_HasTheBytesOfTheSpecification) {
  EXPECT_EQ(shutdown_command(ShutdownType::clear), hex("8001 0000000c 00000145 0000"));
  EXPECT_EQ(shutdown_command(ShutdownType::state), hex("8001 0000000c 00000145 0001"));
}

TEST(ProbeCommand, EachVersion_AsksForOneThing) {
  EXPECT_EQ(probe_command(TpmVersion::tpm20),
            hex("8001 00000016 0000017a 00000006 00000100 00000001"));
  EXPECT_EQ(probe_command(TpmVersion::tpm12), hex("00c1 00000012 00000065 00000006 00000000"));
}

TEST(StartedQuery, EachVersion_IsOneThatChangesNothing) {
  EXPECT_EQ(started_query(TpmVersion::tpm20), hex("8001 0000000a 00000181"));
  EXPECT_EQ(started_query(TpmVersion::tpm12), hex("00c1 0000000e 00000015 00000000"));
  EXPECT_EQ(not_started_code(TpmVersion::tpm20), ResponseCode{0x100});
  EXPECT_EQ(not_started_code(TpmVersion::tpm12), ResponseCode{0x26});
}

TEST(FailureResponse, EachVersion_HasItsOwnTagAndCode) {
  EXPECT_EQ(failure_response(TpmVersion::tpm20), hex("8001 0000000a 00000101"));
  EXPECT_EQ(failure_response(TpmVersion::tpm12), hex("00c4 0000000a 00000009"));
}

TEST(ErrorResponse, EachVersion_CarriesTheGivenCode) {
  EXPECT_EQ(error_response(TpmVersion::tpm20, rc::canceled), hex("8001 0000000a 00000909"));
  EXPECT_EQ(error_response(TpmVersion::tpm12, ResponseCode{0x26}), hex("00c4 0000000a 00000026"));
}

// All codes below 0x200 that a version takes for long-running.
std::vector<uint32_t> long_codes(TpmVersion version) {
  std::vector<uint32_t> codes;
  for (uint32_t code = 0; code < 0x200; ++code) {
    if (is_long_running(version, CommandCode{code})) {
      codes.push_back(code);
    }
  }
  return codes;
}

TEST(LongRunning, Tpm20_IsKeyGenerationClearAndSelfTests) {
  EXPECT_EQ(long_codes(TpmVersion::tpm20),
            (std::vector<uint32_t>{0x124, 0x125, 0x126, 0x131, 0x142, 0x143, 0x153, 0x191}));
}

TEST(LongRunning, Tpm12_IsKeyGenerationAndSelfTests) {
  EXPECT_EQ(long_codes(TpmVersion::tpm12),
            (std::vector<uint32_t>{0x0d, 0x13, 0x1f, 0x50, 0x53, 0x78, 0x79, 0x7f}));
}

}  // namespace
}  // namespace vtpm
