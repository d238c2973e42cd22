#include "engine/state/swtpm/linear_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/hex.h"

namespace vtpm {
namespace {

using testing::HasSubstr;

constexpr size_t kHeaderSize = 192;
constexpr std::array kKinds = {BlobKind::permanent, BlobKind::volatile_state, BlobKind::savestate};

const Bytes kPermanent = to_bytes("permanent blob");  // 14 bytes, in a section of 16
const Bytes kVolatile = to_bytes("volatile");         // 8 bytes, in a section of 8
const Bytes kSavestate = to_bytes("save");

// `file` with one byte, or a 32-bit little-endian integer, in the place of what is there.
Bytes with_byte(Bytes file, size_t at, uint8_t value) {
  file.at(at) = std::byte{value};
  return file;
}
Bytes with_u32(Bytes file, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) {
    file.at(at + i) = static_cast<std::byte>(value >> (8 * i));
  }
  return file;
}

// Where an entry's integers are.
constexpr size_t offset_of(size_t entry) {
  return 12 + 12 * entry;
}
constexpr size_t data_length_of(size_t entry) {
  return offset_of(entry) + 4;
}
constexpr size_t section_length_of(size_t entry) {
  return offset_of(entry) + 8;
}

Bytes of_two() {
  return build_linear_file(
      {{BlobKind::permanent, kPermanent}, {BlobKind::volatile_state, kVolatile}});
}

TEST(LinearFile, Built_IsLaidOutAsSwtpmDoes) {
  Bytes file = of_two();

  EXPECT_EQ(to_bytes(ByteView(file).first(36)),
            hex("6e696c6d70747773 01 00 c000"  // magic, version 1, padding, 192 bytes
                "c0000000 0e000000 10000000"   // at 192: 14 bytes in a section of 16
                "d0000000 08000000 08000000"));
  EXPECT_EQ(to_bytes(ByteView(file).subspan(36, kHeaderSize - 36)), Bytes(kHeaderSize - 36));
  EXPECT_EQ(to_bytes(ByteView(file).subspan(kHeaderSize)),
            to_bytes(std::string_view("permanent blob\0\0volatile", 24)));
}

TEST(LinearFile, ExampleOfTheFormatsPage_IsWhatIsBuilt) {
  Bytes blob = hex("02 01 00 0a 00 00 00 00 00 15 00 01 00 00 00 05 de ad be ef 01");

  Bytes file = build_linear_file({{BlobKind::permanent, blob}});

  EXPECT_EQ(file.size(), 224u);
  EXPECT_EQ(to_bytes(ByteView(file).first(28)),
            hex("6e 69 6c 6d 70 74 77 73  01 00 c0 00"
                "c0 00 00 00 15 00 00 00 20 00 00 00 00 00 00 00"));
}

TEST(LinearFile, FreshTpm_HasTheLengthSeenWithSwtpm) {
  EXPECT_EQ(build_linear_file({{BlobKind::permanent, Bytes(1315)}}).size(), 2240u);
  EXPECT_EQ(build_linear_file({{BlobKind::permanent, Bytes(4409)}}).size(), 8384u);
}

TEST(LinearFile, BuiltOfNothing_IsAHeader) {
  Bytes file = build_linear_file({});

  EXPECT_EQ(file.size(), kHeaderSize);
  EXPECT_EQ(read_linear_file(file, BlobKind::permanent).error().code, Errc::not_found);
}

TEST(LinearFile, Read_IsWhatWasBuilt) {
  Bytes file = build_linear_file({{BlobKind::savestate, kSavestate},
                                  {BlobKind::permanent, kPermanent},
                                  {BlobKind::volatile_state, kVolatile}});

  EXPECT_EQ(to_bytes(read_linear_file(file, BlobKind::permanent).value()), kPermanent);
  EXPECT_EQ(to_bytes(read_linear_file(file, BlobKind::volatile_state).value()), kVolatile);
  EXPECT_EQ(to_bytes(read_linear_file(file, BlobKind::savestate).value()), kSavestate);
}

TEST(LinearFile, BlobOfAnySize_ComesBack) {
  for (size_t size = 0; size <= 70; ++size) {
    Bytes file = build_linear_file(
        {{BlobKind::permanent, Bytes(size, std::byte{7})}, {BlobKind::savestate, kSavestate}});

    EXPECT_EQ(to_bytes(read_linear_file(file, BlobKind::permanent).value()),
              Bytes(size, std::byte{7}));
    EXPECT_EQ(to_bytes(read_linear_file(file, BlobKind::savestate).value()), kSavestate);
  }
}

TEST(LinearFile, KindThatIsNotThere_IsNotFound) {
  auto blob = read_linear_file(of_two(), BlobKind::savestate);

  ASSERT_FALSE(blob.has_value());
  EXPECT_EQ(blob.error().code, Errc::not_found);
}

TEST(LinearFile, LongerThanItsSections_IsRead) {
  Bytes device = of_two();
  device.resize(1 << 16);

  EXPECT_EQ(to_bytes(read_linear_file(device, BlobKind::volatile_state).value()), kVolatile);
}

TEST(LinearFile, EntryWithoutAnOffset_IsFreeWhateverItsLengths) {
  Bytes file = with_u32(with_u32(of_two(), data_length_of(2), 0xffffffff), section_length_of(3), 9);

  EXPECT_EQ(to_bytes(read_linear_file(file, BlobKind::permanent).value()), kPermanent);
  EXPECT_EQ(read_linear_file(file, BlobKind::savestate).error().code, Errc::not_found);
}

TEST(LinearFile, PaddingOfTheHeader_DoesNotMatter) {
  Bytes file = with_byte(of_two(), 9, 0xff);

  EXPECT_EQ(to_bytes(read_linear_file(file, BlobKind::permanent).value()), kPermanent);
}

TEST(LinearFile, CutAnywhere_IsCorruptForEveryKind) {
  Bytes file = of_two();
  for (size_t size = 0; size < file.size(); ++size) {
    for (BlobKind kind : kKinds) {
      EXPECT_EQ(read_linear_file(ByteView(file).first(size), kind).error().code, Errc::corrupt)
          << "cut to " << size << " bytes";
    }
  }
}

// Never more than the file has: a view is within it, and it is no longer than what is after its
// beginning.
TEST(LinearFile, AnyByteChangedInAnyWay_IsRefusedOrASliceOfTheFile) {
  const Bytes file = of_two();
  for (size_t i = 0; i < file.size(); ++i) {
    for (unsigned change = 1; change < 256; ++change) {
      Bytes changed = file;
      changed[i] ^= static_cast<std::byte>(change);
      for (BlobKind kind : kKinds) {
        auto blob = read_linear_file(changed, kind).value_or(ByteView(changed).first(0));
        ASSERT_GE(blob.data(), changed.data()) << "byte " << i << " ^ " << change;
        ASSERT_LE(blob.data() + blob.size(), changed.data() + changed.size())
            << "byte " << i << " ^ " << change;
      }
    }
  }
}

struct Damage {
  const char* name;
  Bytes file;
  Errc code;
  const char* message;
};

class DamagedLinearFile : public testing::TestWithParam<Damage> {};

TEST_P(DamagedLinearFile, Read_SaysWhyForEveryKind) {
  for (BlobKind kind : kKinds) {
    auto blob = read_linear_file(GetParam().file, kind);
    ASSERT_FALSE(blob.has_value());
    EXPECT_EQ(blob.error().code, GetParam().code);
    EXPECT_THAT(blob.error().message, HasSubstr(GetParam().message));
  }
}

const std::vector<Damage>& damages() {
  static const std::vector<Damage> list = {
      {"Empty", {}, Errc::corrupt, "not one of swtpm's linear files"},
      {"OnlyTheMagic", to_bytes(ByteView(of_two()).first(8)), Errc::corrupt, "only 8 bytes"},
      {"OneByteLessThanAHeader", to_bytes(ByteView(of_two()).first(191)), Errc::corrupt,
       "only 191 bytes"},
      {"AnotherMagic", with_byte(of_two(), 0, 0x6f), Errc::corrupt,
       "not one of swtpm's linear files"},
      {"MagicTheOtherWayRound", hex("737774706d6c696e 01 00 c000"), Errc::corrupt,
       "not one of swtpm's linear files"},
      {"Version0", with_byte(of_two(), 8, 0), Errc::unsupported, "version 0"},
      {"Version2", with_byte(of_two(), 8, 2), Errc::unsupported, "version 2"},
      {"ShorterHeader", with_byte(of_two(), 10, 191), Errc::corrupt, "a header of 191 bytes"},
      {"LongerHeader", with_byte(of_two(), 11, 1), Errc::corrupt, "a header of 448 bytes"},
      {"SectionWithinTheHeader", with_u32(of_two(), offset_of(0), 191), Errc::corrupt,
       "section 0 begins within the header"},
      {"SectionAtTheFirstByte", with_u32(of_two(), offset_of(1), 1), Errc::corrupt,
       "section 1 begins within the header"},
      {"MoreDataThanSection", with_u32(of_two(), data_length_of(0), 17), Errc::corrupt,
       "section 0 has 16 bytes, and 17 of data"},
      {"DataOfAllOnes", with_u32(of_two(), data_length_of(1), 0xffffffff), Errc::corrupt,
       "section 1 has 8 bytes, and 4294967295 of data"},
      {"SectionPastTheEnd", with_u32(of_two(), section_length_of(1), 9), Errc::corrupt,
       "section 1 ends at 217, the file at 216"},
      {"SectionOfAllOnes", with_u32(of_two(), section_length_of(1), 0xffffffff), Errc::corrupt,
       "section 1 ends at 4294967503, the file at 216"},
      {"OffsetPastTheEnd", with_u32(of_two(), offset_of(1), 217), Errc::corrupt,
       "section 1 ends at 225"},
      {"OffsetOfAllOnes", with_u32(of_two(), offset_of(1), 0xffffffff), Errc::corrupt,
       "section 1 ends at 4294967303"},
      {"SumThatWrapsIn32Bits",
       with_u32(with_u32(of_two(), offset_of(1), 0xfffffff0), section_length_of(1), 0x20),
       Errc::corrupt, "section 1 ends at 4294967312"},
      {"SectionsThatOverlapByAByte", with_u32(of_two(), offset_of(1), 207), Errc::corrupt,
       "section 1 overlaps section 0"},
      {"SectionWithinAnother", with_u32(of_two(), offset_of(1), 196), Errc::corrupt,
       "section 1 overlaps section 0"},
      {"SameSectionTwice", with_u32(of_two(), offset_of(1), 192), Errc::corrupt,
       "section 1 overlaps section 0"},
      {"EarlierSectionReachesIntoALater", with_u32(of_two(), section_length_of(0), 17),
       Errc::corrupt, "section 1 overlaps section 0"},
      {"EntryThatNoKindHas",
       with_u32(with_u32(of_two(), offset_of(14), 192), section_length_of(14), 1), Errc::corrupt,
       "section 14 overlaps section 0"},
      {"EntryThatNoKindHasPastTheEnd", with_u32(of_two(), offset_of(14), 500), Errc::corrupt,
       "section 14 ends at 500"},
  };
  return list;
}

INSTANTIATE_TEST_SUITE_P(Files, DamagedLinearFile, testing::ValuesIn(damages()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace vtpm
