#include "ctl/control/control_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vtpm/ioctl.h>

#include <algorithm>
#include <bit>
#include <map>
#include <ranges>
#include <set>

namespace vtpm {
namespace {

using EachRow = testing::TestWithParam<ControlRow>;

TEST_P(EachRow, Phases_AreNeverGone) {
  EXPECT_THAT(GetParam().phases, testing::Not(testing::Contains(Phase::gone)));
  EXPECT_FALSE(GetParam().phases.empty());
}

INSTANTIATE_TEST_SUITE_P(ControlTable, EachRow,
                         testing::ValuesIn(control_table().begin(), control_table().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ControlTable, Names_AreUnique) {
  std::set<std::string_view> names;
  for (const ControlRow& row : control_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
  }
}

TEST(ControlTable, EachRequest_HasOneCapabilityBit) {
  for (const ControlRow& row : control_table().subspan(1)) {
    EXPECT_EQ(std::popcount(row.capability), 1) << row.name;
  }
}

TEST(ControlTable, CapabilityBits_AreOnesOwnButForTheThreeOfHashing) {
  std::map<uint64_t, int> users;
  for (const ControlRow& row : control_table()) {
    ++users[row.capability];
  }

  EXPECT_EQ(users.at(VTPM_CAP_HASHING), 3);
  users.erase(VTPM_CAP_HASHING);
  EXPECT_THAT(users, testing::Each(testing::Pair(testing::_, 1)));
}

TEST(ControlTable, RequestForTheMask_HasNoBitAndIsTheFirstRow) {
  EXPECT_EQ(control_table().front().name, "GET_CAPABILITY");
  EXPECT_EQ(control_table().front().capability, 0u);
}

TEST(ControlTable, Mask_IsSwtpmsAndOurs) {
  EXPECT_EQ(capability_mask(), 0x16fffu | VTPM_CAP_EXECUTE | VTPM_CAP_GET_STATUS |
                                   VTPM_CAP_SET_VERSION | VTPM_CAP_GET_DETAILS |
                                   VTPM_CAP_GET_SPACES);
}

std::set<std::string_view> names_where(bool (*holds)(const ControlRow&)) {
  std::set<std::string_view> names;
  for (const ControlRow& row : control_table()) {
    if (holds(row)) {
      names.insert(row.name);
    }
  }
  return names;
}

TEST(ControlTable, AnyoneMayAsk_ForCapabilityAndConfigOnly) {
  EXPECT_EQ(names_where([](const ControlRow& row) { return row.privilege == Privilege::anyone; }),
            (std::set<std::string_view>{"GET_CAPABILITY", "GET_CONFIG"}));
}

TEST(ControlTable, UserOfTheRawNode_MayExecuteBesides) {
  EXPECT_EQ(names_where([](const ControlRow& row) { return row.privilege == Privilege::raw_user; }),
            (std::set<std::string_view>{"EXECUTE"}));
}

TEST(ControlTable, Observer_MayLookAndChangeNothing) {
  EXPECT_EQ(names_where([](const ControlRow& row) { return row.privilege == Privilege::observer; }),
            (std::set<std::string_view>{"GET_STATUS", "GET_DETAILS", "GET_SPACES", "GET_INFO",
                                        "GET_TPMESTABLISHED"}));
}

TEST(ControlTable, Privileges_ControlIncludesAllAndTheOthersTheirOwn) {
  using enum Privilege;
  for (Privilege needed : {anyone, observer, raw_user, control}) {
    EXPECT_TRUE(includes(control, needed));
    EXPECT_TRUE(includes(needed, needed));
    EXPECT_TRUE(includes(needed, anyone));
  }
  EXPECT_FALSE(includes(raw_user, observer));
  EXPECT_FALSE(includes(observer, raw_user));
  EXPECT_FALSE(includes(observer, control));
  EXPECT_FALSE(includes(raw_user, control));
  EXPECT_FALSE(includes(anyone, observer));
}

TEST(ControlTable, RequestsThatMustNotWait_AreTheseAndNoOthers) {
  EXPECT_EQ(
      names_where([](const ControlRow& row) { return row.turn == Turn::at_once; }),
      (std::set<std::string_view>{"GET_CAPABILITY", "GET_CONFIG", "SET_LOCALITY", "CANCEL_TPM_CMD",
                                  "GET_STATUS", "GET_DETAILS", "GET_SPACES"}));
}

}  // namespace
}  // namespace vtpm
