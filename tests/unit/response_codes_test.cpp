#include "engine/command/response_codes.h"

#include <gmock/gmock.h>
#include <vtpm/ioctl.h>

namespace vtpm {
namespace {

using testing::HasSubstr;

struct Known {
  TpmVersion version;
  uint32_t code;
  const char* name;
  const char* part;  // of the meaning
};

class KnownCode : public testing::TestWithParam<Known> {};

TEST_P(KnownCode, HasItsNameAndSaysWhatItIsAbout) {
  CodeInWords words =
      describe_response_code(GetParam().version, static_cast<ResponseCode>(GetParam().code));

  EXPECT_EQ(words.number, GetParam().code);
  EXPECT_EQ(words.name, GetParam().name);
  EXPECT_THAT(words.meaning, HasSubstr(GetParam().part));
}

constexpr TpmVersion k20 = TpmVersion::tpm20;
constexpr TpmVersion k12 = TpmVersion::tpm12;

INSTANTIATE_TEST_SUITE_P(
    Codes, KnownCode,
    testing::Values(
        Known{k20, 0x000, "TPM_RC_SUCCESS", ""}, Known{k20, 0x100, "TPM_RC_INITIALIZE", ""},
        Known{k20, 0x101, "TPM_RC_FAILURE", "failure"},
        Known{k20, 0x143, "TPM_RC_COMMAND_CODE", ""}, Known{k20, 0x01e, "TPM_RC_BAD_TAG", "tag"},
        Known{k20, 0x1c4, "TPM_RC_VALUE", "parameter 1"},
        Known{k20, 0x18b, "TPM_RC_HANDLE", "handle 1"},
        Known{k20, 0x98e, "TPM_RC_AUTH_FAIL", "session 1"}, Known{k20, 0x08b, "TPM_RC_HANDLE", ""},
        Known{k20, 0x909, "TPM_RC_CANCELED", ""}, Known{k20, 0x922, "TPM_RC_RETRY", ""},
        Known{k20, 0x923, "TPM_RC_NV_UNAVAILABLE", ""},
        Known{k20, 0x0b0143, "TPM_RC_COMMAND_CODE", "resource manager"},
        Known{k12, 0x009, "TPM_FAIL", ""}, Known{k12, 0x026, "TPM_INVALID_POSTINIT", ""},
        Known{k12, 0x800, "TPM_RETRY", ""}));

class UnknownCode : public testing::TestWithParam<uint32_t> {};

TEST_P(UnknownCode, IsItsNumberAndWhatIsKnownOfIt) {
  CodeInWords words = describe_response_code(k20, static_cast<ResponseCode>(GetParam()));

  EXPECT_EQ(words.number, GetParam());
  EXPECT_THAT(words.name, HasSubstr(hex_number(GetParam())));
  EXPECT_FALSE(words.meaning.empty());
}

INSTANTIATE_TEST_SUITE_P(Codes, UnknownCode,
                         testing::Values(0x0bf, 0x17f, 0x97e, 0x500, 0xd00, 0x1000, 0xffffffff));

TEST(ResponseCodes, EveryTwelveBitCode_HasANameAndAMeaning) {
  for (uint32_t code = 0; code <= 0xfff; ++code) {
    for (TpmVersion version : {k20, k12}) {
      CodeInWords words = describe_response_code(version, static_cast<ResponseCode>(code));
      EXPECT_FALSE(words.name.empty() || words.meaning.empty()) << code;
    }
  }
}

TEST(ResponseCodes, ResultsOfControlRequests_AreInTheirOwnWords) {
  EXPECT_EQ(describe_result(VTPM_RESULT_BAD_ORDINAL).text(),
            "TPM_BAD_ORDINAL (0xa): not possible in the TPM's present phase");
  EXPECT_EQ(describe_result(VTPM_RESULT_TPM2_FAILURE).name, "TPM_RC_FAILURE");
  EXPECT_EQ(describe_result(0x184).name, "TPM_RC_VALUE");
}

TEST(ResponseCodes, FamilyOfAResponse_IsInItsTag) {
  EXPECT_EQ(family_of_response(0x8001), k20);
  EXPECT_EQ(family_of_response(0x8002), k20);
  EXPECT_EQ(family_of_response(0x00c4), k12);
  EXPECT_EQ(family_of_response(0x00c6), k12);
  EXPECT_EQ(family_of_response(0), k20);
}

}  // namespace
}  // namespace vtpm
