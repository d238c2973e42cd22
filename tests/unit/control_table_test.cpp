#include "ctl/control_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <vtpm/ioctl.h>

#include <bit>
#include <set>

#include "tests/support/fake_backoff.h"
#include "tests/support/fake_engine.h"
#include "tests/support/memory_store.h"

namespace vtpm {
namespace {

class EachRow : public testing::TestWithParam<ControlRow> {
 protected:
  MemoryStore store_;
  FakeEngine engine_{store_};
  FakeBackoff backoff_;
  VirtualTpm tpm_{engine_, backoff_};
  ControlContext context_{tpm_, [] {}};
};

TEST_P(EachRow, Number_IsOfTypePAndSaysThatItAnswers) {
  EXPECT_EQ(_IOC_TYPE(GetParam().number), static_cast<unsigned>('P'));
  EXPECT_NE(_IOC_DIR(GetParam().number) & _IOC_READ, 0u);
}

TEST_P(EachRow, Number_FindsTheRow) {
  const ControlRow* found = find_control_row(GetParam().number);

  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, GetParam().name);
}

TEST_P(EachRow, Request_OfZeroesIsAnsweredWithAtMostTheNumbersSize) {
  Bytes in((_IOC_DIR(GetParam().number) & _IOC_WRITE) == 0 ? 0 : _IOC_SIZE(GetParam().number));

  Bytes out = GetParam().handle(context_, in);

  EXPECT_EQ(out.size(), _IOC_SIZE(GetParam().number) == 4 ? 4 : _IOC_SIZE(GetParam().number));
}

TEST_P(EachRow, Phases_AreNeverGone) {
  EXPECT_THAT(GetParam().phases, testing::Not(testing::Contains(Phase::gone)));
  EXPECT_FALSE(GetParam().phases.empty());
}

INSTANTIATE_TEST_SUITE_P(ControlTable, EachRow,
                         testing::ValuesIn(control_table().begin(), control_table().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ControlTable, Numbers_AreUnique) {
  std::set<uint32_t> numbers;
  for (const ControlRow& row : control_table()) {
    EXPECT_TRUE(numbers.insert(row.number).second) << row.name;
  }
}

TEST(ControlTable, Names_AreUnique) {
  std::set<std::string_view> names;
  for (const ControlRow& row : control_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
  }
}

TEST(ControlTable, EachRequest_HasOneCapabilityBitOfItsOwn) {
  uint64_t seen = 0;
  for (const ControlRow& row : control_table().subspan(1)) {
    EXPECT_EQ(std::popcount(row.capability), 1) << row.name;
    EXPECT_EQ(seen & row.capability, 0u) << row.name;
    seen |= row.capability;
  }
}

TEST(ControlTable, RequestForTheMask_HasNoBitAndIsTheFirstRow) {
  EXPECT_EQ(control_table().front().number, VTPM_GET_CAPABILITY);
  EXPECT_EQ(control_table().front().capability, 0u);
}

TEST(ControlTable, Mask_IsAllBits) {
  EXPECT_EQ(capability_mask(), VTPM_CAP_INIT | VTPM_CAP_SHUTDOWN | VTPM_CAP_SET_LOCALITY |
                                   VTPM_CAP_CANCEL_TPM_CMD | VTPM_CAP_STOP | VTPM_CAP_GET_CONFIG |
                                   VTPM_CAP_SET_BUFFERSIZE);
}

TEST(ControlTable, UnknownNumber_HasNoRow) {
  constexpr uint32_t kTcgets = 0x5401;

  EXPECT_EQ(find_control_row(kTcgets), nullptr);
  EXPECT_EQ(find_control_row(0), nullptr);
}

TEST(ControlTable, AnyoneMayAsk_ForCapabilityAndConfigOnly) {
  std::set<uint32_t> open_to_all;
  for (const ControlRow& row : control_table()) {
    open_to_all.insert(row.privilege == Privilege::anyone ? row.number : VTPM_GET_CAPABILITY);
  }

  EXPECT_EQ(open_to_all, (std::set<uint32_t>{VTPM_GET_CAPABILITY, VTPM_GET_CONFIG}));
}

TEST(ControlTable, RequestsThatMustNotWait_DoNot) {
  for (uint32_t number :
       {VTPM_GET_CAPABILITY, VTPM_GET_CONFIG, VTPM_SET_LOCALITY, VTPM_CANCEL_TPM_CMD}) {
    EXPECT_EQ(find_control_row(number)->turn, Turn::at_once) << number;
  }
}

TEST(ControlTable, ResultOnly_IsFourBytesInTheCallersOrder) {
  uint32_t result = 0x0a;
  auto expected = std::as_bytes(std::span(&result, 1));

  EXPECT_THAT(result_only(result), testing::ElementsAreArray(expected));
}

}  // namespace
}  // namespace vtpm
