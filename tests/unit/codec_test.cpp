#include "engine/command/codec.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace vtpm {
namespace {

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

}  // namespace
}  // namespace vtpm
