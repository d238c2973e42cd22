#include "engine/tpm/unstored_changes.h"

#include <gmock/gmock.h>

#include "tests/support/hex.h"
#include "tests/support/memory_store.h"

namespace vtpm {
namespace {

constexpr BlobName kPermanent{TpmVersion::tpm12, BlobKind::permanent};
constexpr BlobName kSavestate{TpmVersion::tpm12, BlobKind::savestate};
constexpr BlobName kOther{TpmVersion::tpm20, BlobKind::permanent};

UnstoredChanges::Wanted wanted(std::string_view text) {
  return WipedBytes(to_bytes(text));
}

class Changes : public testing::Test {
 protected:
  MemoryStore store_;
  UnstoredChanges changes_{store_};
};

TEST_F(Changes, None_AreNoReasonAndNoWork) {
  EXPECT_TRUE(changes_.empty());
  EXPECT_EQ(changes_.reason(), nullptr);
  EXPECT_TRUE(changes_.commit().has_value());
  EXPECT_EQ(store_.stores, 0);
}

TEST_F(Changes, Committed_AreDoneAndNoLongerWanted) {
  store_.put(kSavestate, as_bytes("old"));
  changes_.want(kPermanent, wanted("new"));
  changes_.want(kSavestate, std::nullopt);

  ASSERT_TRUE(changes_.commit().has_value());

  EXPECT_EQ(*store_.find(kPermanent), to_bytes("new"));
  EXPECT_EQ(store_.find(kSavestate), nullptr);
  EXPECT_TRUE(changes_.empty());
}

TEST_F(Changes, ThatFail_HaveRemovedNothingAndKeepTheReason) {
  store_.put(kSavestate, as_bytes("old"));
  changes_.want(kSavestate, std::nullopt);
  changes_.want(kPermanent, wanted("new"));
  store_.fail_stores = true;

  EXPECT_FALSE(changes_.commit().has_value());

  EXPECT_NE(store_.find(kSavestate), nullptr);
  EXPECT_EQ(changes_.kept().size(), 2u);
  EXPECT_EQ(changes_.reason()->message, "store told to fail");
}

TEST_F(Changes, TheLastThingWantedOfABlob_Counts) {
  changes_.want(kPermanent, wanted("first"));
  changes_.want(kPermanent, wanted("second"));

  ASSERT_TRUE(changes_.commit().has_value());

  EXPECT_EQ(*store_.find(kPermanent), to_bytes("second"));
  EXPECT_EQ(store_.stores, 1);
}

TEST_F(Changes, OfBothVersions_StayApart) {
  changes_.want(kPermanent, wanted("1.2"));
  changes_.want(kOther, wanted("2.0"));

  ASSERT_TRUE(changes_.commit().has_value());

  EXPECT_EQ(*store_.find(kPermanent), to_bytes("1.2"));
  EXPECT_EQ(*store_.find(kOther), to_bytes("2.0"));
}

TEST_F(Changes, Forgotten_AreNotCommitted) {
  changes_.want(kPermanent, wanted("new"));
  changes_.forget(kPermanent);

  EXPECT_EQ(changes_.find(kPermanent), nullptr);
  EXPECT_TRUE(changes_.commit().has_value());
  EXPECT_EQ(store_.stores, 0);
}

TEST_F(Changes, AbandonedCall_TakesBackItsOwnPartAlone) {
  changes_.want(kPermanent, wanted("earlier"));
  changes_.keep();
  changes_.want(kPermanent, wanted("abandoned"));
  changes_.want(kSavestate, wanted("abandoned"));

  changes_.drop_new();

  EXPECT_EQ((*changes_.find(kPermanent))->get(), to_bytes("earlier"));
  EXPECT_EQ(changes_.find(kSavestate), nullptr);
}

TEST_F(Changes, NewOnes_AreFoundBeforeThoseThatWereKept) {
  changes_.want(kPermanent, wanted("earlier"));
  changes_.keep();
  changes_.want(kPermanent, wanted("new"));

  EXPECT_EQ((*changes_.find(kPermanent))->get(), to_bytes("new"));
  EXPECT_TRUE(changes_.any_new());
  EXPECT_EQ((*changes_.kept().at(kPermanent)).get(), to_bytes("earlier"));
}

TEST_F(Changes, Kept_AreInPlaceOfEarlierOnesAndTheSameMemory) {
  changes_.want(kPermanent, wanted("earlier"));
  changes_.want(kSavestate, std::nullopt);
  changes_.keep();
  changes_.want(kPermanent, wanted("new"));
  const void* memory = (*changes_.find(kPermanent))->get().data();

  changes_.keep();

  EXPECT_FALSE(changes_.any_new());
  EXPECT_EQ((*changes_.find(kPermanent))->get().data(), memory);
  EXPECT_NE(changes_.find(kSavestate), nullptr);
}

}  // namespace
}  // namespace vtpm
