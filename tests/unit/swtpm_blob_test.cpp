#include "engine/state/swtpm/swtpm_blob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/swtpm_files.h"

namespace vtpm {
namespace {

Bytes version2(ByteView elements, uint16_t flags = 0) {
  return swtpm_blob(2, flags, elements);
}

TEST(SwtpmBlob, Wrapped_IsTheFileThatSwtpmWritesWithoutAKey) {
  EXPECT_EQ(wrap_swtpm_blob(as_bytes("state"), nullptr).value(),
            hex("02 01 000a 0000 00000015"  // version 2, readable since 1, header 10, no flags, 21
                "0001 00000005 7374617465"));
}

TEST(SwtpmBlob, FreshTpm_HasTheLengthSeenWithSwtpm) {
  EXPECT_EQ(wrap_swtpm_blob(Bytes(1299), nullptr).value().size(), 1315u);
}

TEST(SwtpmBlob, Unwrapped_IsWhatWasWrapped) {
  Bytes blob = wrap_swtpm_blob(as_bytes("state"), nullptr).value();

  auto data = unwrap_swtpm_blob(blob, nullptr);

  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(*data, to_bytes("state"));
}

TEST(SwtpmBlob, Version1_IsRawAfterTheHeader) {
  Bytes blob = hex("01 01 000a 0000 0000000e 01020304");

  auto data = unwrap_swtpm_blob(blob, nullptr);

  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(*data, hex("01020304"));
}

TEST(SwtpmBlob, NewerVersionThatOldReadersMayRead_IsRead) {
  Bytes blob = hex("03 02 000a 0000 00000012 0001 00000002 abcd");

  auto data = unwrap_swtpm_blob(blob, nullptr);

  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(*data, hex("abcd"));
}

TEST(SwtpmBlob, UnknownElements_AreSkipped) {
  Bytes blob = version2(hex("0099 00000003 ffffff  0001 00000002 abcd  0098 00000000"));

  auto data = unwrap_swtpm_blob(blob, nullptr);

  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(*data, hex("abcd"));
}

TEST(SwtpmBlob, TwoDataElements_TheFirstCounts) {
  Bytes blob = version2(hex("0001 00000001 aa  0001 00000001 bb"));

  EXPECT_EQ(unwrap_swtpm_blob(blob, nullptr).value(), hex("aa"));
}

TEST(SwtpmBlob, EveryTruncation_IsCorrupt) {
  Bytes blob = wrap_swtpm_blob(as_bytes("state"), nullptr).value();

  for (size_t size = 0; size < blob.size(); ++size) {
    auto data = unwrap_swtpm_blob(ByteView(blob).first(size), nullptr);
    ASSERT_FALSE(data.has_value()) << "cut to " << size << " bytes";
    EXPECT_EQ(data.error().code, Errc::corrupt) << "cut to " << size << " bytes";
  }
}

// The header's total length is right; what is in it is cut at every place.
TEST(SwtpmBlob, EveryTruncationWithinAnElement_IsCorrupt) {
  Bytes element = hex("0001 00000005 7374617465");

  for (size_t size = 0; size < element.size(); ++size) {
    auto data = unwrap_swtpm_blob(version2(ByteView(element).first(size)), nullptr);
    ASSERT_FALSE(data.has_value()) << "cut to " << size << " bytes";
    EXPECT_EQ(data.error().code, Errc::corrupt) << "cut to " << size << " bytes";
  }
}

struct Refused {
  const char* name;
  Bytes blob;
  Errc code;
  const char* message;
};

class RefusedBlob : public testing::TestWithParam<Refused> {};

TEST_P(RefusedBlob, Unwrapped_SaysWhy) {
  auto data = unwrap_swtpm_blob(GetParam().blob, nullptr);

  ASSERT_FALSE(data.has_value());
  EXPECT_EQ(data.error().code, GetParam().code);
  EXPECT_THAT(data.error().message, testing::HasSubstr(GetParam().message));
}

const std::vector<Refused>& refused_blobs() {
  static const std::vector<Refused> blobs = {
      {"LongerThanItSays", hex("0201000a000000000012 000100000002abcd ff"), Errc::corrupt, "18"},
      {"ShorterThanItSays", hex("0201000a000000000013 000100000002abcd"), Errc::corrupt, "19"},
      {"TotalOfAllOnes", hex("0201000a0000ffffffff 000100000002abcd"), Errc::corrupt, "damaged"},
      {"HeaderOfElevenBytes", hex("0201000b000000000012 000100000002abcd"), Errc::corrupt,
       "damaged"},
      {"ElementReachesPastTheEnd", version2(hex("0001 00000003 abcd")), Errc::corrupt,
       "past the end"},
      {"ElementOfAllOnes", version2(hex("0001 ffffffff abcd")), Errc::corrupt, "past the end"},
      {"SkippedElementReachesPastTheEnd", version2(hex("0099 00000009 ab 0001 00000001 cd")),
       Errc::corrupt, "past the end"},
      {"NoElements", version2({}), Errc::corrupt, "no element 1"},
      {"NoDataElement", version2(hex("0002 00000001 ab")), Errc::corrupt, "no element 1"},
      {"EncryptedWithFileKey", version2(hex("0002 00000001 ab"), 0x01), Errc::unsupported,
       "no key was given"},
      {"BlobOfAControlSurface", version2(hex("0004 00000007 0001 00000001 ab"), 0x04),
       Errc::invalid, "not a state file"},
      {"BlobOfAControlSurfaceWithAKey", version2(hex("0005 00000001 ab"), 0x06), Errc::invalid,
       "not a state file"},
      {"EncryptedVersion1", hex("01 01 000a 0001 0000000b ab"), Errc::unsupported, "encrypted"},
      {"NewerFormat", hex("0303000a000000000012 000100000002abcd"), Errc::unsupported, "version 3"},
      {"VersionZero", hex("0000000a000000000012 000100000002abcd"), Errc::unsupported, "version"},
  };
  return blobs;
}

INSTANTIATE_TEST_SUITE_P(Blobs, RefusedBlob, testing::ValuesIn(refused_blobs()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace vtpm
