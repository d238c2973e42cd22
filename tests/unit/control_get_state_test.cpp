// GET_STATEBLOB: fresh at offset 0, one consistent snapshot from there on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/control_state_fixture.h"

namespace vtpm {
namespace {

using testing::Each;

class GetStateTest : public StateBlobTest {
 protected:
  void SetUp() override { init_and_start(); }
};

Bytes joined(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST_F(GetStateTest, SmallBlob_IsOnePieceInSwtpmsFormat) {
  Bytes state = remember(100);

  auto answer = get(VTPM_BLOB_TYPE_PERMANENT);

  EXPECT_EQ(total_in(answer), 100 + kOverhead);
  EXPECT_EQ(unwrap_migration_blob(bytes_in(answer), nullptr).value(), state);
}

TEST_F(GetStateTest, Answer_HasNoByteThatIsNotOfTheBlob) {
  remember(100);

  auto answer = from<vtpm_get_state>(get(VTPM_BLOB_TYPE_PERMANENT));

  EXPECT_EQ(answer.resp.state_flags, 0u);
  EXPECT_THAT(std::span(answer.resp.data).subspan(100 + kOverhead), Each(0));
}

TEST_F(GetStateTest, LargeBlob_ComesInPieces) {
  Bytes state = remember(3500);

  Bytes first = bytes_in(get(VTPM_BLOB_TYPE_PERMANENT));
  Bytes second = bytes_in(get(VTPM_BLOB_TYPE_PERMANENT, kPiece));

  EXPECT_EQ(first.size(), kPiece);
  EXPECT_EQ(unwrap_migration_blob(joined(first, second), nullptr).value(), state);
}

TEST_F(GetStateTest, PiecesThatOverlap_AreOfTheSameSnapshot) {
  remember(3500);
  Bytes first = bytes_in(get(VTPM_BLOB_TYPE_PERMANENT));

  Bytes overlapping = bytes_in(get(VTPM_BLOB_TYPE_PERMANENT, 10));

  EXPECT_TRUE(std::equal(first.begin() + 10, first.end(), overlapping.begin()));
}

TEST_F(GetStateTest, StateThatChangesBetweenPieces_DoesNotChangeTheSnapshot) {
  Bytes state = remember(3500);
  Bytes first = bytes_in(get(VTPM_BLOB_TYPE_PERMANENT));
  remember(5);

  Bytes second = bytes_in(get(VTPM_BLOB_TYPE_PERMANENT, kPiece));

  EXPECT_EQ(unwrap_migration_blob(joined(first, second), nullptr).value(), state);
}

// B4
TEST_F(GetStateTest, Offset0_IsTakenAnewEachTime) {
  remember(100);
  get(VTPM_BLOB_TYPE_PERMANENT);
  Bytes state = remember(200);

  EXPECT_EQ(unwrap_migration_blob(bytes_in(get(VTPM_BLOB_TYPE_PERMANENT)), nullptr).value(), state);
}

TEST_F(GetStateTest, Offset0WithinATransfer_IsTakenAnewToo) {
  remember(3500);
  get(VTPM_BLOB_TYPE_PERMANENT);
  remember(200);

  EXPECT_EQ(total_in(get(VTPM_BLOB_TYPE_PERMANENT)), 200 + kOverhead);
}

TEST_F(GetStateTest, AnyOtherRequestBetween_EndsTheSnapshot) {
  remember(3500);
  get(VTPM_BLOB_TYPE_PERMANENT);
  ask(VTPM_GET_STATUS);
  remember(3600);

  EXPECT_EQ(total_in(get(VTPM_BLOB_TYPE_PERMANENT, kPiece)), 3600 + kOverhead);
}

TEST_F(GetStateTest, AnotherTypeBetween_EndsTheSnapshot) {
  remember(3500);
  get(VTPM_BLOB_TYPE_PERMANENT);
  get(VTPM_BLOB_TYPE_VOLATILE, 1);
  remember(3600);

  EXPECT_EQ(total_in(get(VTPM_BLOB_TYPE_PERMANENT, kPiece)), 3600 + kOverhead);
}

TEST_F(GetStateTest, OffsetAtTheEnd_IsAnEmptyPiece) {
  remember(100);

  auto answer = from<vtpm_get_state>(get(VTPM_BLOB_TYPE_PERMANENT, 100 + kOverhead));

  EXPECT_EQ(answer.resp.tpm_result, VTPM_RESULT_SUCCESS);
  EXPECT_EQ(answer.resp.length, 0u);
  EXPECT_EQ(answer.resp.totlength, 100 + kOverhead);
}

TEST_F(GetStateTest, OffsetBehindTheEnd_IsABadParameter) {
  remember(100);

  EXPECT_EQ(result_in(get(VTPM_BLOB_TYPE_PERMANENT, 101 + kOverhead)), VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(result_in(get(VTPM_BLOB_TYPE_PERMANENT, 0xffffffff)), VTPM_RESULT_BAD_PARAMETER);
}

TEST_F(GetStateTest, TypeThatDoesNotExist_IsABadParameter) {
  EXPECT_EQ(result_in(get(0)), VTPM_RESULT_BAD_PARAMETER);
  EXPECT_EQ(result_in(get(4)), VTPM_RESULT_BAD_PARAMETER);
}

TEST_F(GetStateTest, TypeThatDoesNotExistBetween_LeavesTheSnapshot) {
  remember(3500);
  get(VTPM_BLOB_TYPE_PERMANENT);
  get(9, kPiece);
  remember(3600);

  EXPECT_EQ(total_in(get(VTPM_BLOB_TYPE_PERMANENT, kPiece)), 3500 + kOverhead);
}

TEST_F(GetStateTest, TypeThatDoesNotExistInAnotherPhase_EndsTheSnapshot) {
  remember(3500);
  get(VTPM_BLOB_TYPE_PERMANENT);
  tpm_.power_off();

  EXPECT_EQ(result_in(get(9, kPiece)), VTPM_RESULT_BAD_ORDINAL);

  EXPECT_EQ(transfer_->state(), BlobTransfer::State::idle);
}

TEST_F(GetStateTest, SavestateOfATpm20_IsNotThere) {
  EXPECT_EQ(result_in(get(VTPM_BLOB_TYPE_SAVESTATE)), VTPM_RESULT_RETRY);
}

// B30
TEST_F(GetStateTest, HandingOut_TouchesNoStorage) {
  int stores = store_.stores;
  int loads = store_.loads;

  get(VTPM_BLOB_TYPE_PERMANENT);
  get(VTPM_BLOB_TYPE_VOLATILE);
  get(VTPM_BLOB_TYPE_SAVESTATE);

  EXPECT_EQ(store_.stores, stores);
  EXPECT_EQ(store_.loads, loads);
}

// B7
TEST_F(GetStateTest, SavestateWithoutThePolicy_KeepsTheLock) {
  get(VTPM_BLOB_TYPE_PERMANENT);
  get(VTPM_BLOB_TYPE_VOLATILE);
  get(VTPM_BLOB_TYPE_SAVESTATE);

  EXPECT_TRUE(store_.locked);
  EXPECT_EQ(execute(get_random(4)), rc::success);
}

class GetStateKeyTest : public StateBlobTest {
 protected:
  GetStateKeyTest() : StateBlobTest({.migration_key = &key_}) {}
  static const SwtpmKey key_;
};
const SwtpmKey GetStateKeyTest::key_{Bytes(32, std::byte{0x42})};

TEST_F(GetStateKeyTest, BlobWithAMigrationKey_IsEncryptedAndUsable) {
  init_and_start();
  Bytes state = remember(100);

  Bytes blob = bytes_in(get(VTPM_BLOB_TYPE_PERMANENT));

  EXPECT_EQ(blob[5], std::byte{0x16});  // migration data, with a migration key, of 256 bits
  EXPECT_EQ(unwrap_migration_blob(blob, &key_).value(), state);
}

TEST_F(GetStateKeyTest, BlobWithoutEncryption_IsTakenThoughThereIsAKey) {
  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob_of(10))), VTPM_RESULT_SUCCESS);
}

TEST_F(StateBlobTest, EncryptedBlobWithoutAKey_IsKeyNotFound) {
  SwtpmKey key(16);
  Bytes blob = wrap_migration_blob(Bytes(10), &key).value();

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob)), VTPM_RESULT_KEYNOTFOUND);
}

TEST_F(GetStateKeyTest, BlobOfAnotherKey_IsADecryptError) {
  SwtpmKey other(Bytes(32, std::byte{0x43}));
  Bytes blob = wrap_migration_blob(Bytes(10), &other).value();

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob)), VTPM_RESULT_DECRYPT_ERROR);
}

TEST_F(GetStateKeyTest, BlobOfAKeyOfTheOtherLength_IsABadKeyProperty) {
  SwtpmKey shorter(16);
  Bytes blob = wrap_migration_blob(Bytes(10), &shorter).value();

  EXPECT_EQ(result_in(set(VTPM_BLOB_TYPE_PERMANENT, blob)), VTPM_RESULT_BAD_KEY_PROPERTY);
}

}  // namespace
}  // namespace vtpm
